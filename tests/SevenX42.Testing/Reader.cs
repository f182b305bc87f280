using System.Text;
using Xunit;

namespace SevenX42.Testing;

/// <summary>How the network fails a reader.</summary>
public enum Cut
{
    /// <summary>The socket is closed, and opened again at once.</summary>
    SocketClosed,

    /// <summary>Nothing gets through for ten seconds; the old socket is never heard of again.</summary>
    NetworkOff,

    /// <summary>The page is opened anew.</summary>
    Reload,

    /// <summary>No socket gets through, so that polling takes over for a while.</summary>
    SocketsBlocked,
}

/// <summary>Somebody who watches an answer come, over whatever the network leaves them.</summary>
/// <param name="browser">Who it is.</param>
/// <param name="server">Where the sockets are.</param>
/// <param name="page">What they see.</param>
/// <param name="pace">How many times faster than life everything goes.</param>
public sealed class Reader(ChatBrowser browser, Uri server, LivePage page, double pace) : IAsyncDisposable
{
    private static readonly TimeSpan Outage = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PollPace = TimeSpan.FromMilliseconds(300);

    private RealtimeClient? _socket;
    private int _channel;
    private int _polls;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>How long a connection may be silent until it is taken for dead.</summary>
    public TimeSpan Patience { get; init; } = RealtimeClient.Limit;

    /// <summary>Opens a socket and subscribes from where the page stands.</summary>
    public async Task ConnectAsync()
    {
        _socket = await RealtimeClient.ConnectAsync(server, await browser.RealtimeTokenAsync(), patience: Patience);
        await SubscribeAsync();
    }

    /// <summary>Takes what comes next; connects first when there is no connection.</summary>
    public async Task ReadAsync()
    {
        if (_polls > 0)
        {
            await PollAsync();
            if (--_polls == 0)
                await ConnectAsync();
            return;
        }

        if (_socket is null)
            await ConnectAsync();
        var message = await _socket!.NextAsync(_ => true);
        if (RealtimeClient.ChannelOf(message) == _channel)
        {
            var loads = page.Loads;
            await page.TakeAsync(RealtimeClient.Events(message));
            if (page.Loads > loads)
                await SubscribeAsync();
        }
        else if (RealtimeClient.OpOf(message) == "reset")
        {
            await page.LoadAsync();
            await SubscribeAsync();
        }
    }

    /// <summary>Takes what comes until the page shows that an answer has ended.</summary>
    public async Task ReadToEndAsync(int number)
    {
        while (page.AnswerOf(number) is not { IsRunning: false })
            await ReadAsync();
    }

    /// <summary>Takes what comes until the page shows so much of an answer.</summary>
    public async Task ReadAsync(int number, int length)
    {
        while (page.LengthOf(number) < length)
            await ReadAsync();
    }

    /// <summary>The network fails, and comes back.</summary>
    public async Task SufferAsync(Cut cut, int polls)
    {
        switch (cut)
        {
            case Cut.SocketClosed:
                await HangUpAsync();
                await ReconnectAsync();
                break;
            case Cut.NetworkOff:
                // Half open: the server goes on sending for as long as its window lasts, and nobody acknowledges.
                if (_socket is not null)
                    (_socket.Acknowledges, _socket.AnswersBeats) = (false, false);
                await Task.Delay(Outage / pace, TimeProvider.System, Cancel);
                await HangUpAsync();
                await ReconnectAsync();
                break;
            case Cut.Reload:
                await HangUpAsync();
                await page.LoadAsync();
                await ReconnectAsync();
                break;
            case Cut.SocketsBlocked:
                await HangUpAsync();
                _polls = polls;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(cut));
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await HangUpAsync();

    /// <summary>Ends the connection without a word.</summary>
    public async Task HangUpAsync()
    {
        if (Interlocked.Exchange(ref _socket, null) is not { } socket)
            return;
        socket.Abort();
        await socket.DisposeAsync();
    }

    private async Task ReconnectAsync()
    {
        _polls = 0;
        await ConnectAsync();
    }

    private async Task SubscribeAsync()
    {
        if (page.NeedsLoad)
            await page.LoadAsync();
        while (true)
        {
            var id = await _socket!.SubscribeAsync(page.Channel, page.Position);
            var answer = await _socket.NextAsync(m => RealtimeClient.OpOf(m) is "subbed" or "denied" && m.GetProperty("id").GetInt32() == id);
            if (RealtimeClient.OpOf(answer) == "denied")
            {
                Assert.Equal("unavailable", answer.GetProperty("code").GetString());
                await Task.Delay(PollPace, TimeProvider.System, Cancel);
            }
            else if (answer.GetProperty("recovered").GetBoolean())
            {
                _channel = answer.GetProperty("c").GetInt32();
                page.MoveTo(answer.GetProperty("pos").GetString()!);
                return;
            }

            await page.LoadAsync();
        }
    }

    private async Task PollAsync()
    {
        var answer = await browser.JsonAsync($"/realtime/poll?ch={page.Channel}&pos={Uri.EscapeDataString(page.Position)}");
        var channel = answer.GetProperty("channels")[0];
        if (!channel.TryGetProperty("recovered", out var recovered) || !recovered.GetBoolean())
        {
            await page.LoadAsync();
        }
        else
        {
            var loads = page.Loads;
            List<RealtimeEvent> events =
                RealtimeClient.EventsIn(channel.GetProperty("ev").EnumerateArray());
            if (events.Count > 0)
                await page.TakeAsync(events);
            if (page.Loads == loads)
                page.MoveTo(channel.GetProperty("pos").GetString()!);
        }

        await Task.Delay(PollPace / pace, TimeProvider.System, Cancel);
    }
}

/// <summary>Somebody who reads the log itself, as programs do: every event, and the text as the model wrote it.</summary>
public sealed class LogReader(ChatBrowser browser, Uri server, string channel, string epoch)
{
    private readonly StringBuilder _text = new();
    private long _seq;

    /// <summary>The text, as far as it was read.</summary>
    public string Text => _text.ToString();

    /// <summary>Reads the log from its first event to the answer's end; hangs up and comes back now and then.</summary>
    public async Task ReadToEndAsync(Random random)
    {
        while (true)
        {
            await using var socket = await RealtimeClient.ConnectAsync(server, await browser.RealtimeTokenAsync());
            var (number, _, recovered) = await socket.SubscribedAsync(channel, $"{epoch}:{_seq}", raw: true);
            Assert.True(recovered);
            for (var frames = random.Next(1, 80); frames > 0; frames--)
            {
                foreach (var (seq, type, data) in await socket.EventsAsync(number))
                {
                    Assert.Equal(_seq + 1, seq);
                    _seq = seq;
                    if (type == "gen.delta")
                    {
                        Assert.Equal(_text.Length, data.GetProperty("o").GetInt32());
                        _text.Append(data.GetProperty("x").GetString());
                    }
                    else if (type == "gen.done")
                    {
                        return;
                    }
                }
            }

            socket.Abort();
        }
    }
}
