using System.Security.Cryptography;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Who this process is among the workers.</summary>
/// <param name="Id">Written into the jobs it runs.</param>
/// <param name="IsStable">Whether the name outlives the process and nobody else has it, so that its last life's jobs can be freed.</param>
internal sealed record WorkerIdentity(string Id, bool IsStable)
{
    /// <summary>Tells this process's notifications from others'; new in each life.</summary>
    public string Origin { get; } = RandomNumberGenerator.GetHexString(16, lowercase: true);

    public static WorkerIdentity From(GenerationOptions options, bool embedded) =>
        (options.WorkerId ?? (embedded ? "embedded" : null)) is { Length: > 0 } name
            ? new WorkerIdentity(name, IsStable: true)
            : new WorkerIdentity($"{Environment.MachineName}-{RandomNumberGenerator.GetHexString(12, lowercase: true)}", IsStable: false);
}
