using System.Globalization;
using System.Text.Json;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using Xunit;

namespace SevenX42.Testing;

/// <summary>
/// A conversation's page without a browser. What the page's scripts do with the page, its channel and its events, this does:
/// blocks begin with what the page came with, deltas change them, and what changed in the store is fetched.
/// </summary>
public sealed class LivePage(ChatBrowser browser, Guid conversation)
{
    private readonly Dictionary<int, Answer> _answers = [];
    private string _epoch = "";
    private long _seq;

    /// <summary>The conversation's channel, as the page names it.</summary>
    public string Channel { get; private set; } = "";

    /// <summary>Whether what the page shows has to be fetched: it was not yet, or it could not be.</summary>
    public bool NeedsLoad { get; private set; } = true;

    /// <summary>Where the page stands.</summary>
    public string Position => string.Create(CultureInfo.InvariantCulture, $"{_epoch}:{_seq}");

    /// <summary>How often the page had to be fetched whole.</summary>
    public int Loads { get; private set; }

    /// <summary>The answer with this number; null while the page shows none.</summary>
    public Answer? AnswerOf(int number) => _answers.GetValueOrDefault(number);

    /// <summary>How much of an answer the page shows, in characters of HTML; 0 while it shows none.</summary>
    public int LengthOf(int number) => AnswerOf(number)?.Blocks.Blocks.Sum(b => b.Length) ?? 0;

    /// <summary>Asserts that an answer, the last of the conversation, is complete, and that the page has of it what is stored.</summary>
    public async Task ShowsWhatIsStoredAsync(int number, string text)
    {
        var answer = AnswerOf(number)!;
        Assert.Equal("completed", answer.Status);
        Assert.Equal(text, await browser.TextAsync($"/conversations/{conversation:D}/messages/{answer.Id}/raw"));
        var stored = (await browser.PageAsync($"/c/{conversation:D}")).QuerySelectorAll("article:last-of-type [data-block]");
        var whole = string.Concat(stored.Select(b => b.InnerHtml));
        Assert.InRange(whole.Length, text.Length, 10 * text.Length);
        Assert.Equal(whole, answer.Html);
        Assert.Equal(whole, answer.Streamed ?? whole);
    }

    /// <summary>Opens the page, or fetches the transcript again: content and position come together.</summary>
    public async Task LoadAsync()
    {
        Loads++;
        NeedsLoad = true;
        var page = await browser.PageAsync($"/c/{conversation:D}");
        var transcript = page.QuerySelector("#transcript")!;
        Channel = transcript.GetAttribute("data-channel")!;
        MoveTo(transcript.GetAttribute("data-pos")!);
        _answers.Clear();
        foreach (var article in transcript.QuerySelectorAll("article[data-role=assistant]"))
            Show(article);
        NeedsLoad = false;
    }

    /// <summary>Takes over the position that the server confirmed.</summary>
    public void MoveTo(string position)
    {
        var colon = position.LastIndexOf(':');
        (_epoch, _seq) = (position[..colon], long.Parse(position.AsSpan(colon + 1), CultureInfo.InvariantCulture));
    }

    /// <summary>Takes a frame of events.</summary>
    public async Task TakeAsync(IReadOnlyList<RealtimeEvent> events)
    {
        Assert.True(events[0].Seq > _seq, $"Event {events[0].Seq} came again: the page stands at {_seq}.");
        var loads = Loads;
        foreach (var (seq, type, data) in events)
        {
            // A page that was fetched anew goes on from its own position.
            if (Loads > loads)
                return;
            Assert.True(seq >= _seq, $"Event {seq} came after {_seq}.");
            _seq = seq;
            await TakeAsync(type, data);
        }
    }

    private async Task TakeAsync(string type, JsonElement data)
    {
        switch (type)
        {
            case var _ when StreamedBlocks.Takes(type) && _answers.TryGetValue(data[0].GetInt32(), out var answer):
                answer.IsStreamed |= type == "begin";
                // Where the store was faster than the log, an end that was fetched is written once more.
                answer.IsRunning = true;
                answer.Blocks.Take(type, data);
                break;
            case "think" when _answers.TryGetValue(data[0].GetInt32(), out var answer):
                Assert.InRange(data[1].GetInt32(), 0, answer.Reasoning.Length);
                answer.Reasoning = answer.Reasoning[..data[1].GetInt32()] + data[2].GetString();
                break;
            case "status" when _answers.TryGetValue(data.GetProperty("n").GetInt32(), out var answer):
                answer.Status = data.GetProperty("st").GetString()!;
                answer.BeganAgain |= data.GetProperty("t").GetString()!.Contains("begun again", StringComparison.Ordinal);
                break;
            case "done" when _answers.TryGetValue(data.GetProperty("n").GetInt32(), out var answer):
                answer.Status = data.GetProperty("st").GetString()!;
                answer.IsRunning &= !answer.IsEndFetched;
                if (answer.IsStreamed)
                    answer.Streamed = answer.Html;
                break;
            case "changed" when _answers.TryGetValue(data.GetProperty("n").GetInt32(), out var answer):
                NeedsLoad = true;
                var fragment = await browser.PageAsync($"/conversations/{conversation:D}/messages/{answer.Id}");
                Show(fragment.QuerySelector("article")!);
                NeedsLoad = false;
                break;
            case "tree":
                await LoadAsync();
                break;
            default:
                break;
        }
    }

    private void Show(IElement article)
    {
        var number = int.Parse(article.Id!.AsSpan(2), CultureInfo.InvariantCulture);
        var answer = new Answer(article.GetAttribute("data-message")!)
        {
            Status = article.GetAttribute("data-status")!,
            IsRunning = article.GetAttribute("aria-busy") == "true",
            IsEndFetched = article.GetAttribute("aria-busy") != "true",
            Reasoning = article.QuerySelector("[data-think]")?.TextContent ?? "",
            Streamed = _answers.GetValueOrDefault(number)?.Streamed,
        };
        foreach (var block in article.QuerySelectorAll("[data-blocks] > [data-block]"))
            answer.Blocks.Show(int.Parse(block.GetAttribute("data-block")!, CultureInfo.InvariantCulture), block.InnerHtml);
        _answers[number] = answer;
    }

    /// <summary>What the page shows of an answer.</summary>
    public sealed class Answer(string id)
    {
        /// <summary>The message's id.</summary>
        public string Id { get; } = id;

        /// <summary>Its blocks of HTML.</summary>
        public StreamedBlocks Blocks { get; } = new();

        /// <summary>Its status, in the page's word for it.</summary>
        public string Status { get; internal set; } = "";

        /// <summary>What the model thought.</summary>
        public string Reasoning { get; internal set; } = "";

        /// <summary>Whether the page was told that it is begun again.</summary>
        public bool BeganAgain { get; internal set; }

        /// <summary>Whether a stream has begun since it was fetched: without one, it comes in the steps in which it is fetched.</summary>
        internal bool IsStreamed { get; set; }

        /// <summary>Whether it was fetched from the store after its end.</summary>
        internal bool IsEndFetched { get; init; }

        /// <summary>Whether it is being written, or its end is still to be fetched.</summary>
        public bool IsRunning { get; internal set; }

        /// <summary>What deltas alone had made of it when its end came; null when the end was not heard of but fetched.</summary>
        public string? Streamed { get; internal set; }

        /// <summary>The blocks, one after the other, as a browser would write them.</summary>
        public string Html => string.Concat(Blocks.Blocks.Select(Serialised));

        private static string Serialised(string html)
        {
            var document = new HtmlParser().ParseDocument("");
            document.Body!.InnerHtml = html;
            return document.Body.InnerHtml;
        }
    }
}
