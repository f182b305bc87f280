using System.Diagnostics;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>A tab that shows a conversation: it watches an answer to its end, whatever its network does meanwhile.</summary>
internal sealed class Tab(World world, History history, ChatBrowser browser, Guid conversationId, Random random)
{
    /// <summary>How many times faster than life outages and polls go.</summary>
    private const double Pace = 10;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);
    private readonly LivePage _page = new(browser, conversationId);

    /// <summary>Watches an answer; with a length, presses Stop when so much of it is there.</summary>
    public async Task WatchAsync(Sent sent, int number, int? stopAt)
    {
        await using var reader = new Reader(browser, world.Front, _page, Pace) { Patience = Patience.OfSockets };
        var cuts = new Queue<(int At, Cut Cut, int Polls)>(Enumerable.Range(0, random.Next(0, 4))
            .Select(_ => (random.Next(0, Texts.Longest * 2), (Cut)random.Next(4), random.Next(1, 40))).OrderBy(c => c.Item1));
        var (started, last) = (Stopwatch.GetTimestamp(), Stopwatch.GetTimestamp());
        while (_page.NeedsLoad || _page.AnswerOf(number) is not { IsRunning: false })
        {
            if (Stopwatch.GetElapsedTime(started) > Limit)
            {
                var status = _page.AnswerOf(number)?.Status ?? "not shown";
                var stored = await Stored.OfMessageAsync(world.Database, sent.Id);
                history.Wrong.Add(
                    $"Prompt {sent.Prompt}: no end of its answer was seen in {Limit.TotalSeconds} s; at {_page.Position}, {status}; {stored}");
                return;
            }

            try
            {
                if (_page.NeedsLoad)
                    await _page.LoadAsync();
                else
                    await reader.ReadAsync();
                history.Gaps.Add(new Gap(last, Stopwatch.GetElapsedTime(last)));
                if (stopAt <= _page.LengthOf(number) && _page.AnswerOf(number) is { IsRunning: true } running)
                {
                    stopAt = null;
                    await StopAsync(sent, running.Id);
                }

                if (cuts.TryPeek(out var next) && _page.LengthOf(number) >= next.At)
                {
                    cuts.Dequeue();
                    history.Count($"cut: {next.Cut}");
                    await reader.SufferAsync(next.Cut, next.Polls);
                }

                last = Stopwatch.GetTimestamp();
            }
            catch (Exception e) when (Patience.Covers(e))
            {
                history.Count("connections lost");
                await reader.HangUpAsync();
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(100, 400)), TimeProvider.System);
            }
        }

        var answer = _page.AnswerOf(number)!;
        history.Count(answer.Streamed is null ? "ends fetched" : "ends streamed");
        history.Views.Add(new View(sent, answer.Html, answer.Streamed, answer.Status));
    }

    private async Task StopAsync(Sent sent, string answerId)
    {
        // Once asked, it may have been heard, whatever comes back.
        sent.MayBeStopped = true;
        history.Count("stops");
        using var response = await browser.PostAsync($"/conversations/{conversationId:D}/answers/{answerId}/stop");
        if (!response.IsSuccessStatusCode && !Patience.Covers(response.StatusCode))
            history.Wrong.Add($"Prompt {sent.Prompt}: a stop was answered with {response.StatusCode}");
    }
}
