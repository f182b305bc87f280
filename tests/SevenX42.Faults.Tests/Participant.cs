using System.Net;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>Somebody who chats at random, decided by a seed: writes, watches in one or two tabs, stops, loses the network.</summary>
internal sealed class Participant(World world, History history, int seed) : IDisposable
{
    private const int MostTurns = 4;
    private const double TwoTabs = 0.3;
    private const double Stops = 0.15;
    private const double DoubleClicks = 0.2;
    private const double FollowsLog = 0.3;

    private readonly Random _random = new(seed);
    private readonly ChatBrowser _browser = new(world.Front, Patience.OfRequests);
    private readonly List<Guid> _conversations = [];

    /// <summary>Chats until it is over; what was begun is brought to its end.</summary>
    /// <param name="poisonous">Whether what is asked kills whoever works on it.</param>
    /// <param name="over">When to begin nothing more.</param>
    public async Task ChatAsync(CancellationToken over, bool poisonous = false)
    {
        try
        {
            await ChatAsync(poisonous, over);
        }
        catch (Exception e)
        {
            history.Wrong.Add($"Whoever has the seed {seed} met a fault that nobody should: {e}");
        }
    }

    /// <summary>What pages that are opened now show.</summary>
    public async Task<IEnumerable<KeyValuePair<Guid, string>>> ReopenAsync()
    {
        List<KeyValuePair<Guid, string>> answers = [];
        foreach (var conversation in _conversations)
            answers.AddRange(Stored.AnswersOf(await _browser.PageAsync($"/c/{conversation:D}")));
        return answers;
    }

    public void Dispose() => _browser.Dispose();

    private async Task ChatAsync(bool poisonous, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            var conversation = ChatBrowser.NewId();
            _conversations.Add(conversation);
            using var ended = new CancellationTokenSource();
            var log = Task.CompletedTask;
            for (var turn = 0; turn < (poisonous ? 1 : MostTurns) && (turn == 0 || !over.IsCancellationRequested); turn++)
            {
                var sent = history.Send(turn == 0 ? conversation : ChatBrowser.NewId(), conversation, poisonous);
                await SendAsync(sent, turn == 0 ? "/conversations" : $"/conversations/{conversation:D}/messages");
                if (turn == 0 && _random.NextDouble() < FollowsLog)
                    log = new LogTab(world, history, _browser, conversation).FollowAsync(ended.Token);
                await WatchAsync(sent, number: 2 * (turn + 1));
            }

            await ended.CancelAsync();
            await log;
            if (poisonous)
                return;
        }
    }

    /// <summary>Sends until it is acknowledged, always under the same id; clicks twice now and then.</summary>
    private async Task SendAsync(Sent sent, string path)
    {
        // Whoever is nobody yet becomes somebody by the first: two of them at once would become two.
        var clicks = _random.NextDouble() < DoubleClicks && _conversations.Count > 1 ? 2 : 1;
        while (!sent.IsAcknowledged)
        {
            var tries = Enumerable.Range(0, clicks).Select(_ => TryAsync(sent, path)).ToList();
            if (!(await Task.WhenAll(tries)).Any(acknowledged => acknowledged))
                await Task.Delay(TimeSpan.FromMilliseconds(_random.Next(100, 500)), TimeProvider.System);
            else
                sent.IsAcknowledged = true;
        }

        _browser.ForgetToken();
    }

    private async Task<bool> TryAsync(Sent sent, string path)
    {
        sent.Tries++;
        history.Count("sends");
        try
        {
            var model = sent.IsPoison ? "poison/scripted" : "test/scripted";
            using var response = await _browser.PostAsync(
                path, ("messageId", sent.Id.ToString()), ("text", Texts.Prompt(sent.Prompt)), ("model", model));
            if (response.StatusCode is HttpStatusCode.OK)
                return true;
            history.Count($"sends answered with {(int)response.StatusCode}");
            if (!Patience.Covers(response.StatusCode))
            {
                throw new InvalidOperationException(
                    $"Prompt {sent.Prompt}: a send was answered with {response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
            }
        }
        catch (Exception e) when (Patience.Covers(e))
        {
            sent.Unknown++;
            history.Count("sends of unknown outcome");
        }

        return false;
    }

    private async Task WatchAsync(Sent sent, int number)
    {
        int? stopAt = _random.NextDouble() < Stops ? _random.Next(0, Texts.Longest) : null;
        var tabs = new List<Task> { OpenTab().WatchAsync(sent, number, stopAt) };
        if (_random.NextDouble() < TwoTabs)
            tabs.Add(OpenTab().WatchAsync(sent, number, stopAt: null));
        await Task.WhenAll(tabs);

        Tab OpenTab() => new(world, history, _browser, sent.ConversationId, new Random(_random.Next()));
    }
}
