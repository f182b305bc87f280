namespace SevenX42.Modules.Identity.Infrastructure.Realtime;

/// <summary>A key that real-time tokens are signed with, shared by all replicas through the database.</summary>
internal sealed class RealtimeSigningKey
{
    public required Guid Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>
    /// New tokens are signed with it from then on. Later than its creation, so that every replica knows it before the first
    /// token arrives.
    /// </summary>
    public required DateTimeOffset ActivatesAt { get; init; }

    /// <summary>The key, encrypted by data protection.</summary>
    public required byte[] ProtectedKey { get; init; }
}
