using System.Text.Json;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Tells a channel the end of a generation that no attempt can tell it.</summary>
internal sealed partial class Announcements(JobStore jobs, IChannelLog log, ILogger<Announcements> logger)
{
    /// <summary>
    /// Appends the whole text, of which readers keep what they lack, and the end; unless the end is there, which happens when
    /// the answer of the append was lost.
    /// </summary>
    public async Task AnnounceAsync(Unannounced job, CancellationToken cancellationToken)
    {
        var channels = JobChannels.Of(job.Id, job.Channel, job.IsImage);
        if (channels.Count == 0)
            return;
        try
        {
            foreach (var channel in channels)
            {
                if (!await HasEndAsync(job, channel, cancellationToken))
                    await log.AppendAsync(channel, Transcript.EndEvents(job), new Fence(job.Id.ToString(), long.MaxValue), cancellationToken);
            }

            await jobs.MarkAnnouncedAsync([job.Id], cancellationToken);
        }
        catch (ChannelLogUnavailableException e)
        {
            // The sweeper tries again.
            LogUnavailable(logger, e, job.Id);
        }
    }

    private async Task<bool> HasEndAsync(Unannounced job, string channel, CancellationToken cancellationToken)
    {
        var events = new List<ChannelEvent>();
        await log.ReadRetainedAsync(channel, events, cancellationToken);
        return events.Any(e => e.Type == GenerationEvents.Done
            && JsonSerializer.Deserialize(e.Data.Span, GenerationEventsJson.Wire.DoneData)?.GenerationId == job.Id);
    }

    [LoggerMessage(1, LogLevel.Warning, "The end of generation {GenerationId} is stored, but its channel does not have it yet")]
    private static partial void LogUnavailable(ILogger logger, Exception exception, Guid generationId);
}
