namespace SevenX42;

/// <summary>What this process does; the same binary plays every role (configuration key <c>Role</c>).</summary>
public enum AppRole
{
    /// <summary>Everything in one process: one machine.</summary>
    All,

    /// <summary>Serves pages, sockets and polls; runs no generations.</summary>
    Web,

    /// <summary>Runs generations; serves only health and metrics.</summary>
    Worker,
}

/// <summary>The role of this process, for services that only some roles run.</summary>
/// <param name="Role">The configured role.</param>
public sealed record AppRoleContext(AppRole Role)
{
    /// <summary>Whether this process serves pages and sockets.</summary>
    public bool ServesWeb => Role is AppRole.All or AppRole.Web;

    /// <summary>Whether this process runs generations.</summary>
    public bool RunsWork => Role is AppRole.All or AppRole.Worker;
}
