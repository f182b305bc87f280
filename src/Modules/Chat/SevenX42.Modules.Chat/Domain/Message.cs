namespace SevenX42.Modules.Chat.Domain;

/// <summary>Who a message is from.</summary>
internal enum MessageRole
{
    User,
    Assistant,
}

/// <summary>How far an answer is; messages of people are always complete.</summary>
internal enum MessageStatus
{
    /// <summary>Its generation has not ended.</summary>
    Pending,

    /// <summary>It is as it was meant.</summary>
    Completed,

    /// <summary>Somebody stopped it; the text is kept.</summary>
    Stopped,

    /// <summary>It broke off; the text is kept and can be continued.</summary>
    Interrupted,

    /// <summary>It came to nothing.</summary>
    Failed,
}

/// <summary>A node of a conversation's tree.</summary>
internal sealed class Message
{
    /// <summary>Longest message of a person, in UTF-16 code units.</summary>
    public const int LongestText = 100_000;

    private Message()
    {
    }

    /// <summary>For messages of people the id their client chose, which makes sending idempotent.</summary>
    public Guid Id { get; private init; }

    public Guid ConversationId { get; private init; }

    public Guid OwnerId { get; private init; }

    /// <summary>The message before it; null for a conversation's first.</summary>
    public Guid? ParentId { get; private init; }

    /// <summary>Number within its conversation, from 1: its short name in the channel's events and on the page.</summary>
    public int Number { get; private init; }

    public MessageRole Role { get; private init; }

    /// <summary>Markdown.</summary>
    public string Content { get; private set; } = "";

    /// <summary>Tokens of the text, as contexts are reckoned; null in rows of versions that did not count them.</summary>
    public int? Tokens { get; private set; }

    public string Reasoning { get; private set; } = "";

    public MessageStatus Status { get; private set; }

    public string ErrorCode { get; private set; } = "";

    public string ErrorMessage { get; private set; } = "";

    /// <summary>Id of the model that answers; empty for people.</summary>
    public string Model { get; private set; } = "";

    /// <summary>The generation that writes, or wrote, the answer.</summary>
    public Guid? GenerationId { get; private set; }

    public long InputTokens { get; private set; }

    public long OutputTokens { get; private set; }

    public long DurationMilliseconds { get; private set; }

    /// <summary>The pictures that it asks for, or that it answers with; <see langword="null"/> where text is asked for.</summary>
    public Drawing? Drawing { get; private set; }

    /// <summary>Assets of an answer of pictures, once it has ended.</summary>
    public IReadOnlyList<Guid> Pictures { get; private set; } = [];

    /// <summary>Assets that a person sent with it.</summary>
    public IReadOnlyList<Guid> Attachments { get; private init; } = [];

    /// <summary>Messages before this answer that no longer fitted into the model's context.</summary>
    public int OmittedMessages { get; private set; }

    /// <summary>Pictures before this answer that the model was not shown, of those messages that it was given.</summary>
    public int OmittedPictures { get; private set; }

    public DateTimeOffset CreatedAt { get; private init; }

    public static Message OfPerson(
        Guid id,
        Conversation conversation,
        Guid? parentId,
        string text,
        int tokens,
        DateTimeOffset now,
        Drawing? drawing = null,
        IReadOnlyList<Guid>? attachments = null) => new()
        {
            Id = id,
            ConversationId = conversation.Id,
            OwnerId = conversation.OwnerId,
            ParentId = parentId,
            Number = conversation.NextNumber(),
            Role = MessageRole.User,
            Content = text,
            Tokens = tokens,
            Drawing = drawing,
            Attachments = attachments ?? [],
            Status = MessageStatus.Completed,
            CreatedAt = now,
        };

    public static Message Answer(Guid id, Conversation conversation, Guid parentId, DateTimeOffset now) => new()
    {
        Id = id,
        ConversationId = conversation.Id,
        OwnerId = conversation.OwnerId,
        ParentId = parentId,
        Number = conversation.NextNumber(),
        Role = MessageRole.Assistant,
        Status = MessageStatus.Pending,
        CreatedAt = now,
    };

    /// <summary>Begins a generation of this answer.</summary>
    /// <param name="generationId">The generation.</param>
    /// <param name="model">The model.</param>
    /// <param name="omitted">Messages that did not fit.</param>
    /// <param name="keepText">Whether the text goes on, or begins again.</param>
    /// <param name="omittedPictures">Pictures that are not shown, of messages that did fit.</param>
    public void Generate(Guid generationId, string model, int omitted, bool keepText, int omittedPictures = 0)
    {
        (GenerationId, Model, Status, ErrorCode, ErrorMessage) = (generationId, model, MessageStatus.Pending, "", "");
        (OmittedMessages, OmittedPictures) = (omitted, omittedPictures);
        if (!keepText)
            (Content, Reasoning, Tokens, InputTokens, OutputTokens, DurationMilliseconds) = ("", "", 0, 0, 0, 0);
    }

    /// <summary>Begins a generation of pictures, instead of those it has, if any.</summary>
    public void Draw(Guid generationId, Drawing drawing)
    {
        Generate(generationId, drawing.Model, omitted: 0, keepText: false);
        (Drawing, Pictures) = (drawing, []);
    }

    /// <summary>Takes the pictures of its generation, together with its end.</summary>
    /// <param name="pictures">Assets.</param>
    /// <param name="seed">What the first was drawn with, where the model knows seeds. Without a picture what was asked for stays.</param>
    public void TakePictures(IReadOnlyList<Guid> pictures, long? seed)
    {
        Pictures = [.. pictures];
        if (pictures.Count > 0 && Drawing is { } drawing)
            Drawing = drawing with { Options = drawing.Options with { Seed = seed } };
    }

    /// <summary>Takes the end of its generation; of another, older one it takes nothing.</summary>
    /// <returns>Whether it was taken.</returns>
    public bool Finish(
        Guid generationId,
        MessageStatus status,
        string text,
        int tokens,
        string reasoning,
        string errorCode,
        string errorMessage,
        long inputTokens,
        long outputTokens,
        long milliseconds)
    {
        if (GenerationId != generationId || Status != MessageStatus.Pending)
            return false;
        (Status, Content, Tokens, Reasoning, ErrorCode, ErrorMessage) = (status, text, tokens, reasoning, errorCode, errorMessage);

        // What a continued answer cost is the sum of its parts.
        (InputTokens, OutputTokens, DurationMilliseconds) =
            (InputTokens + inputTokens, OutputTokens + outputTokens, DurationMilliseconds + milliseconds);
        return true;
    }

    /// <summary>Ends with the text it had, without its generation.</summary>
    /// <returns>Whether it had not ended yet, and that generation was its.</returns>
    public bool Abandon(Guid generationId, MessageStatus status, string errorCode, string errorMessage)
    {
        if (GenerationId != generationId || Status != MessageStatus.Pending)
            return false;
        (Status, ErrorCode, ErrorMessage) = (status, errorCode, errorMessage);
        return true;
    }
}
