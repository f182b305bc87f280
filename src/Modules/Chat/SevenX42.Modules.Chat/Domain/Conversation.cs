namespace SevenX42.Modules.Chat.Domain;

/// <summary>Where a conversation's title comes from; a title that a person gave is never replaced.</summary>
internal enum TitleSource
{
    /// <summary>The beginning of the first message.</summary>
    FirstMessage,

    /// <summary>Found by a model.</summary>
    Automatic,

    /// <summary>Given by the person.</summary>
    Person,
}

/// <summary>A conversation: a tree of messages, of which one branch is shown.</summary>
internal sealed class Conversation
{
    public const int LongestTitle = 120;
    public const int LongestInstructions = 8_000;

    private Conversation()
    {
    }

    public Guid Id { get; private init; }

    public Guid OwnerId { get; private init; }

    public string Title { get; private set; } = "";

    public TitleSource TitleSource { get; private set; }

    /// <summary>
    /// Whether it is its owner's studio, of which everybody has at most one: all its messages ask for pictures. It has no place in the
    /// list, has nothing that can be changed of it, and is not deleted but with its owner.
    /// </summary>
    public bool IsStudio { get; private init; }

    /// <summary>Model of new answers; empty for the default.</summary>
    public string Model { get; set; } = "";

    /// <summary>System prompt; empty for none.</summary>
    public string Instructions { get; set; } = "";

    public DateTimeOffset? PinnedAt { get; private set; }

    /// <summary>The last message of the branch that is shown.</summary>
    public Guid? LeafId { get; private set; }

    /// <summary>Number of the newest message.</summary>
    public int LastNumber { get; private set; }

    public DateTimeOffset CreatedAt { get; private init; }

    /// <summary>When the last message came; the order of the list.</summary>
    public DateTimeOffset UpdatedAt { get; private set; }

    /// <summary>When it was deleted; it can be restored for a while.</summary>
    public DateTimeOffset? DeletedAt { get; private set; }

    public static Conversation Begin(Guid id, Guid ownerId, string firstMessage, DateTimeOffset now) => new()
    {
        Id = id,
        OwnerId = ownerId,
        Title = Titles.FromFirstMessage(firstMessage),
        CreatedAt = now,
        UpdatedAt = now,
    };

    public static Conversation Studio(Guid id, Guid ownerId, DateTimeOffset now) => new()
    {
        Id = id,
        OwnerId = ownerId,
        IsStudio = true,
        Title = "Studio",
        CreatedAt = now,
        UpdatedAt = now,
    };

    /// <summary>Number for the next message.</summary>
    public int NextNumber() => ++LastNumber;

    /// <summary>Shows the branch that ends with a message.</summary>
    public void Show(Guid leafId) => LeafId = leafId;

    /// <summary>Moves it to the top of the list.</summary>
    public void Touch(DateTimeOffset now) => UpdatedAt = now;

    public void Rename(string title) => (Title, TitleSource) = (title, TitleSource.Person);

    /// <summary>Takes a title that a model found, unless a person gave one.</summary>
    /// <returns>Whether it was taken.</returns>
    public bool SuggestTitle(string title)
    {
        if (TitleSource == TitleSource.Person || title.Length == 0)
            return false;
        (Title, TitleSource) = (title, TitleSource.Automatic);
        return true;
    }

    public void Pin(DateTimeOffset? at) => PinnedAt = at;

    public void Delete(DateTimeOffset now) => DeletedAt ??= now;

    public void Restore() => DeletedAt = null;
}
