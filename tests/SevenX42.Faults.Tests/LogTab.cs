using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>A program that follows a conversation's log as it is, and says when a number is missing or comes twice.</summary>
internal sealed class LogTab(World world, History history, ChatBrowser browser, Guid conversationId)
{
    private string _epoch = "";
    private long _seq;

    /// <summary>Follows the log until it is told to stop.</summary>
    public async Task FollowAsync(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            try
            {
                var token = await browser.RealtimeTokenAsync();
                await using var socket = await RealtimeClient.ConnectAsync(world.Front, token, patience: Patience.OfSockets);
                await FollowAsync(socket, over);
                socket.Abort();
            }
            catch (Exception e) when (Patience.Covers(e))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System, over).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task FollowAsync(RealtimeClient socket, CancellationToken over)
    {
        var position = _epoch.Length > 0 ? string.Create(CultureInfo.InvariantCulture, $"{_epoch}:{_seq}") : null;
        var id = await socket.SubscribeAsync($"conversation/{conversationId:D}", position, raw: true);
        while (!over.IsCancellationRequested)
        {
            var message = await socket.NextAsync(_ => true);
            switch (RealtimeClient.OpOf(message))
            {
                case "subbed" when message.GetProperty("id").GetInt32() == id:
                    Begin(message.GetProperty("pos").GetString()!, message.GetProperty("recovered").GetBoolean());
                    break;
                case "denied" or "reset" or "bye":
                    return;
                case null:
                    foreach (var (seq, _, _) in RealtimeClient.Events(message))
                    {
                        if (seq != _seq + 1)
                            history.Wrong.Add($"The log of {conversationId} has {seq} after {_seq} in the epoch {_epoch}");
                        _seq = seq;
                        history.Count("log events");
                    }

                    break;
                default:
                    break;
            }
        }
    }

    private void Begin(string position, bool recovered)
    {
        var colon = position.LastIndexOf(':');
        var (epoch, seq) = (position[..colon], long.Parse(position.AsSpan(colon + 1), CultureInfo.InvariantCulture));
        if (recovered && _epoch.Length > 0 && epoch != _epoch)
            history.Wrong.Add($"The log of {conversationId} is now of the epoch {epoch}, and says that it goes on from {_epoch}:{_seq}");
        if (!recovered)
            history.Count("log begun anew");
        // Everything since comes, or nothing that was before.
        if (!recovered || _epoch.Length == 0)
            _seq = seq;
        _epoch = epoch;
    }
}
