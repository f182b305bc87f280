using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>
/// Refuses to start what can never work: a process that has no model to offer or to run, and one that looks for servers on its own
/// machine while another process, which may be elsewhere, has to find the same ones.
/// </summary>
internal sealed class ModelSources(AppRoleContext role, DiscoveryDefault discovery, GenerationOptions options)
{
    private bool Looks => options.Discovery ?? discovery.Enabled;

    /// <exception cref="OptionsValidationException">The configuration does not fit the role; the message says what to change.</exception>
    public void Check()
    {
        if (Looks && role.Role is not AppRole.All && (options.DiscoveryTargets.Count == 0 || options.DiscoveryTargets.Any(IsHere)))
        {
            throw Refuse(
                $"Generation:Discovery: with Role {role.Role}, what is found on one machine is not there for all. "
                + "Give the server's address for all of them in Generation:Providers:0 or Generation:DiscoveryTargets:0.");
        }

        if (!Looks && !options.Demo && options.Providers.Count == 0)
        {
            throw Refuse(
                "Generation: there is no model. Name a server in Generation:Providers:0, or set Generation:Demo or Generation:Discovery to true.");
        }
    }

    private static bool IsHere(string target) => new Uri(target.Split('=', 2)[^1]).IsLoopback;

    private static OptionsValidationException Refuse(string sentence) => new(GenerationOptions.Section, typeof(GenerationOptions), [sentence]);
}
