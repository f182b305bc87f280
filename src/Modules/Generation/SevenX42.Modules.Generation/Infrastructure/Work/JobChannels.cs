namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>The channels that hear of a job.</summary>
internal static class JobChannels
{
    /// <summary>Prefix of a channel of a job that draws; its id follows.</summary>
    public const string ImagePrefix = "image/";

    /// <summary>The channel that it was asked for on, and of pictures one of their own; none when nobody watches.</summary>
    public static IReadOnlyList<string> Of(Guid jobId, string channel, bool isImage) =>
        (channel.Length > 0, isImage) switch
        {
            (true, true) => [channel, OfImage(jobId)],
            (true, false) => [channel],
            (false, true) => [OfImage(jobId)],
            _ => [],
        };

    public static string OfImage(Guid jobId) => $"{ImagePrefix}{jobId:D}";
}
