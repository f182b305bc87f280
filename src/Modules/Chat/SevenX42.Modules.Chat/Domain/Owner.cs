namespace SevenX42.Modules.Chat.Domain;

/// <summary>
/// Whoever has begun a conversation. That a user was deleted is remembered, so that what they sent a moment before begins nothing
/// which nobody could delete any more.
/// </summary>
internal sealed class Owner
{
    public Guid Id { get; init; }

    public bool IsDeleted { get; init; }
}
