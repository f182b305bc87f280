namespace SevenX42.Http;

/// <summary>
/// Tags of a request's activity: what the request turned out to be about. They stand in traces, and in the request's log
/// line where the path doesn't say it.
/// </summary>
public static class RequestTags
{
    /// <summary>Id of the conversation.</summary>
    public const string Conversation = "conversation.id";

    /// <summary>Id of the generation that was requested or stopped.</summary>
    public const string Generation = "generation.id";
}
