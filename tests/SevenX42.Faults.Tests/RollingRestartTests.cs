using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Threading.Channels;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>
/// Every process is replaced, one after the other, while answers are being written and watched: nobody loses a character, and nobody is
/// without a connection for long. By default with a few; as on a busy day:
/// <code>
/// ROLLING_SOCKETS=1000 ROLLING_ANSWERS=100 dotnet test tests/SevenX42.Faults.Tests --filter FullyQualifiedName~RollingRestartTests
/// ROLLING_SOCKETS=1000 ROLLING_ANSWERS=100 ROLLING_DRAIN=8 dotnet test tests/SevenX42.Faults.Tests --filter FullyQualifiedName~RollingRestartTests
/// </code>
/// </summary>
[Collection(nameof(Alone))]
public sealed class RollingRestartTests(ITestOutputHelper output)
{
    private const string Restarting = "1012";
    private const int Words = 600;
    private const int CharactersPerToken = 4;
    private const int BeginAtOnce = 8;
    private const double Most = 0.99;

    private static readonly int Sockets = Setting("ROLLING_SOCKETS", 60);
    private static readonly int Answers = Setting("ROLLING_ANSWERS", 6);
    private static readonly bool IsBusy = Sockets >= 1_000;
    private static readonly int DrainSeconds = Setting("ROLLING_DRAIN", IsBusy ? 15 : 5);
    private static readonly TimeSpan TokenPause = TimeSpan.FromMilliseconds(IsBusy ? 1_000 : 250);
    private static readonly TimeSpan LongestGap = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestGapOfMost = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);
    private static readonly string Text = MarkdownDocument.OfWords(Words, seed: 3);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_rolling_restart_in_the_midst_of_answers_loses_nothing_and_leaves_nobody_alone_for_long()
    {
        await using var world = await World.StartAsync(webs: 2, workers: 1, ("Realtime:ConnectionsPerUser", "100"), ("Realtime:DrainPeriod", $"00:00:{DrainSeconds:00}"));
        var replaced = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Provider.Script("scripted", request => request.Messages switch
        {
            [{ Role: "system" }, ..] => Script.Answer("A title"),
            [.., { Role: "assistant", Content: var written }] => Slowly(Text[written.Length..], replaced.Task),
            _ => Slowly(Text, replaced.Task),
        });
        var people = new ConcurrentBag<(ChatBrowser Browser, Guid Conversation)>();
        var followers = new List<Follower>();
        await Parallel.ForAsync(0, Answers, new ParallelOptions { MaxDegreeOfParallelism = BeginAtOnce, CancellationToken = Cancel }, async (i, _) =>
        {
            var browser = new ChatBrowser(world.Front);
            var conversation = await browser.BeginAsync(Texts.Prompt(i), model: "test/scripted");
            people.Add((browser, conversation));
            var page = new LivePage(browser, conversation);
            await page.LoadAsync();
            var epoch = page.Position.Split(':')[0];
            lock (followers)
                followers.AddRange(Enumerable.Range(0, Sockets / Answers).Select(_ => new Follower(world, browser, page.Channel, epoch)));
        });

        var following = followers.Select(f => Task.Run(f.FollowAsync, Cancel)).ToList();
        await Eventually.TrueAsync(() => followers.TrueForAll(f => f.Text.Length > 0), Limit);

        var drains = new List<(string Role, TimeSpan Took)>();
        foreach (var old in world.Replicas)
        {
            await world.AddAsync(old.Role);
            drains.Add((old.Role, await world.RemoveAsync(old)));
        }

        Assert.All(followers, f => Assert.InRange(f.Text.Length, 1, Text.Length - 1));
        replaced.SetResult();
        await Task.WhenAll(following).WaitAsync(Limit, Cancel);

        var gaps = followers.SelectMany(f => f.Gaps).Order().ToList();
        output.WriteLine(FormattableString.Invariant($"{followers.Count} sockets, {Answers} answers. Without a connection {gaps.Count} times: ")
            + FormattableString.Invariant($"median {At(gaps, 0.5):F2} s, p99 {At(gaps, Most):F2} s, longest {gaps[^1].TotalSeconds:F2} s. ")
            + $"Ends took {string.Join(", ", drains.Select(d => FormattableString.Invariant($"{d.Role} {d.Took.TotalSeconds:F1} s")))}.");
        Assert.All(followers, f => Assert.Equal(Text, f.Text));
        Assert.InRange(gaps.Count, followers.Count, int.MaxValue);
        Assert.All(followers.SelectMany(f => f.Ends), code => Assert.Equal(Restarting, code));
        // With few sockets it stands beside other tests, which take the time of both.
        if (IsBusy)
            Assert.InRange(TimeSpan.FromSeconds(At(gaps, Most)), TimeSpan.Zero, LongestGapOfMost);
        Assert.InRange(gaps[^1], TimeSpan.Zero, LongestGap);
        foreach (var (browser, conversation) in people)
        {
            // The log tells of the end before Chat has stored it.
            var page = await browser.FinishedAsync(conversation);
            Assert.Equal("completed", page.QuerySelector("article:last-of-type")!.GetAttribute("data-status"));
            browser.Dispose();
        }
    }

    /// <summary>Token by token, and the rest at once when it need not last any longer.</summary>
    private static Script Slowly(string text, Task enough)
    {
        var script = Script.Stream.Role();
        for (var i = 0; i < text.Length; i += CharactersPerToken)
        {
            script = script.Say(text.Substring(i, Math.Min(CharactersPerToken, text.Length - i))).Pause(TokenPause, unless: enough);
        }

        return script.Finish().Usage(10, text.Length / CharactersPerToken).Done();
    }

    private static int Setting(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? int.Parse(set, CultureInfo.InvariantCulture) : otherwise;

    /// <summary>In seconds.</summary>
    private static double At(List<TimeSpan> sorted, double share) => sorted[(int)((sorted.Count - 1) * share)].TotalSeconds;

    /// <summary>Follows the log of an answer as programs do; when it is told to come back, it does so when it is told to.</summary>
    private sealed class Follower(World world, ChatBrowser browser, string channel, string epoch)
    {
        private readonly StringBuilder _text = new();
        private long _seq;
        private long _ended;
        private TimeSpan _after;

        public List<TimeSpan> Gaps { get; } = [];

        /// <summary>With which codes the server closed its sockets.</summary>
        public List<string> Ends { get; } = [];

        public string Text
        {
            get
            {
                lock (_text)
                    return _text.ToString();
            }
        }

        public async Task FollowAsync()
        {
            while (true)
            {
                await Task.Delay(_after, TimeProvider.System, Cancel);
                await using var socket = await RealtimeClient.ConnectAsync(world.Front, await browser.RealtimeTokenAsync());
                var position = string.Create(CultureInfo.InvariantCulture, $"{epoch}:{_seq}");
                var (number, _, recovered) = await socket.SubscribedAsync(channel, position, raw: true);
                Assert.True(recovered, "The log could not be followed from where it was left.");
                if (_ended != 0)
                    Gaps.Add(Stopwatch.GetElapsedTime(_ended));
                try
                {
                    while (true)
                    {
                        var message = await socket.NextAsync(_ => true);
                        if (RealtimeClient.OpOf(message) == "bye")
                            _after = TimeSpan.FromMilliseconds(message.GetProperty("after").GetInt32());
                        else if (RealtimeClient.ChannelOf(message) == number && Take(RealtimeClient.Events(message)))
                            return;
                    }
                }
                catch (ChannelClosedException)
                {
                    _ended = Stopwatch.GetTimestamp();
                    Ends.Add((await socket.ClosedAsync())?.ToString(CultureInfo.InvariantCulture) ?? "none");
                }
            }
        }

        /// <summary>Takes events; <see langword="true"/> at the answer's end.</summary>
        private bool Take(IReadOnlyList<RealtimeEvent> events)
        {
            foreach (var (seq, type, data) in events)
            {
                Assert.Equal(_seq + 1, seq);
                _seq = seq;
                lock (_text)
                {
                    if (type == "gen.started")
                        _text.Length = data.GetProperty("t").GetInt32();
                    else if (type == "gen.delta")
                        Add(data.GetProperty("o").GetInt32(), data.GetProperty("x").GetString()!);
                }

                if (type == "gen.done")
                    return true;
            }

            return false;
        }

        // Whoever wrote and heard nothing writes again: what comes twice says where it stands.
        private void Add(int offset, string text)
        {
            Assert.InRange(offset, 0, _text.Length);
            _text.Length = offset;
            _text.Append(text);
        }
    }
}
