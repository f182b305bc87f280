using System.Globalization;
using System.Text;
using System.Text.Json;

namespace SevenX42.Testing;

/// <summary>
/// What a <see cref="ScriptedProvider"/> answers to one request: a status, headers and a sequence of steps. Without a
/// status of its own it is an event stream with status 200. Immutable; every method returns a longer script.
/// </summary>
/// <example><c>Script.Stream.Say("Hel", "lo").Finish().Usage(3, 2).Done()</c></example>
public sealed record Script
{
    private const string Chunk = "\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"scripted\"";

    private Script()
    {
    }

    /// <summary>An event stream that says nothing yet and ends without a word.</summary>
    public static Script Stream { get; } = new();

    /// <summary>A whole, correct answer: a role, the text cut into tokens of random length, a finish, usage, the end mark.</summary>
    /// <param name="text">The text.</param>
    /// <param name="seed">Decides where the text and the bytes are cut.</param>
    /// <param name="pause">Between tokens.</param>
    public static Script Answer(string text, int seed = 0, TimeSpan pause = default)
    {
        var random = new Random(seed);
        var script = Stream.Role();
        var tokens = 0;
        for (var i = 0; i < text.Length; tokens++)
        {
            // Cuts between halves of a surrogate pair, too: servers do.
            var length = Math.Min(random.Next(1, 9), text.Length - i);
            script = script.Say(text.Substring(i, length));
            if (pause > TimeSpan.Zero)
                script = script.Pause(pause);
            i += length;
        }

        return script.Finish().Usage(10, tokens).Done() with { CutSeed = seed };
    }

    /// <summary>An answer that is no event stream.</summary>
    public static Script Respond(int status, string body, string contentType = "application/json") =>
        new() { Status = status, ContentType = contentType, Steps = [new Write(body)] };

    /// <summary>An error as OpenAI words it.</summary>
    public static Script Error(int status, string message, string code = "error") => Respond(
        status, JsonSerializer.Serialize(new { error = new { message, type = code, code } }));

    /// <summary>Status of the response.</summary>
    public int Status { get; init; } = 200;

    /// <summary>Content type of the response.</summary>
    public string ContentType { get; init; } = "text/event-stream";

    /// <summary>Further headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>();

    /// <summary>End of line in the event stream.</summary>
    public string NewLine { get; init; } = "\n";

    /// <summary>What its characters are as bytes.</summary>
    public Encoding Encoding { get; init; } = Encoding.UTF8;

    /// <summary>When set, the bytes are sent in pieces of random length.</summary>
    public int? CutSeed { get; init; }

    internal IReadOnlyList<Step> Steps { get; init; } = [];

    /// <summary>A chunk that only names the role.</summary>
    public Script Role() => Delta("""{"role":"assistant","content":""}""");

    /// <summary>A chunk of text each.</summary>
    public Script Say(params string[] tokens) =>
        tokens.Aggregate(this, (script, token) => script.Delta($"{{\"content\":{Quote(token)}}}"));

    /// <summary>A chunk of reasoning each.</summary>
    /// <param name="field"><c>reasoning_content</c> or <c>reasoning</c>.</param>
    /// <param name="tokens">The reasoning.</param>
    public Script Think(string field, params string[] tokens) =>
        tokens.Aggregate(this, (script, token) => script.Delta($"{{\"content\":null,{Quote(field)}:{Quote(token)}}}"));

    /// <summary>A chunk with a delta of one's own.</summary>
    public Script Delta(string json) => Data($"{{{Chunk},\"choices\":[{{\"index\":0,\"delta\":{json},\"finish_reason\":null}}]}}");

    /// <summary>The chunk with the finish reason.</summary>
    public Script Finish(string reason = "stop") =>
        Data($"{{{Chunk},\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":{Quote(reason)}}}]}}");

    /// <summary>A chunk without choices.</summary>
    public Script NoChoices() => Data($"{{{Chunk},\"choices\":[]}}");

    /// <summary>The last chunk: usage and no choices.</summary>
    public Script Usage(int input, int output) => Data(string.Create(
        CultureInfo.InvariantCulture,
        $"{{{Chunk},\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":{output},\"total_tokens\":{input + output}}}}}"));

    /// <summary>The end mark.</summary>
    public Script Done() => Data("[DONE]");

    /// <summary>One event.</summary>
    public Script Data(string data) => Then(new Line($"data: {data}"), new Line(""));

    /// <summary>One event with a name.</summary>
    public Script Event(string name, string data) => Then(new Line($"event: {name}"), new Line($"data: {data}"), new Line(""));

    /// <summary>A comment, as servers send to keep a connection alive.</summary>
    public Script Comment(string text) => Then(new Line($": {text}"), new Line(""));

    /// <summary>Bytes as they are.</summary>
    public Script Raw(string text) => Then(new Write(text));

    /// <summary>Silence for a while.</summary>
    /// <param name="duration">How long at most.</param>
    /// <param name="unless">What ends it at once.</param>
    public Script Pause(TimeSpan duration, Task? unless = null) => Then(new PauseStep(duration, unless));

    /// <summary>Silence until the test says so.</summary>
    public Script Until(Task gate) => Then(new Gate(gate));

    /// <summary>Silence until the client gives up.</summary>
    public Script Hang() => Then(new HangStep());

    /// <summary>The connection breaks.</summary>
    public Script Cut() => Then(new CutStep());

    /// <summary>Adds a header.</summary>
    public Script Header(string name, string value) =>
        this with { Headers = new Dictionary<string, string>(Headers) { [name] = value } };

    /// <summary>Sends the bytes in pieces of random length.</summary>
    public Script CutBy(int seed) => this with { CutSeed = seed };

    private static string Quote(string text)
    {
        // Not a serializer: that would not write half a surrogate pair, and servers do.
        var quoted = new StringBuilder("\"");
        foreach (var c in text)
        {
            if (c is '"' or '\\' || c < ' ' || char.IsSurrogate(c))
                quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else
                quoted.Append(c);
        }

        return quoted.Append('"').ToString();
    }

    private Script Then(params Step[] steps) => this with { Steps = [.. Steps, .. steps] };

    internal abstract record Step;

    internal sealed record Line(string Text) : Step;

    internal sealed record Write(string Text) : Step;

    internal sealed record PauseStep(TimeSpan Duration, Task? Unless) : Step;

    internal sealed record Gate(Task Opened) : Step;

    internal sealed record HangStep : Step;

    internal sealed record CutStep : Step;
}
