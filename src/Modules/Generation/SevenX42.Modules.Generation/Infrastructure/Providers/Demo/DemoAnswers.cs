using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>A scripted answer.</summary>
internal sealed record DemoAnswer(string Reasoning, string Text, bool Slow = false);

/// <summary>
/// What the demo model says. Pure: the same prompt always gets the same answer, which is why it can go on anywhere.
/// </summary>
internal static partial class DemoAnswers
{
    private const int MaxTitle = 60;

    private const string Disclosure =
        "**I am the demo model: a script that comes with 7x42, not a language model.** I can't think; I only show how answers look.\n\n";

    private const string Connect = """
        ## Connect a real model

        **On this machine**, with [Ollama](https://ollama.com):

        ```bash
        ollama pull llama3.2
        ollama serve
        ```

        7x42 looks for Ollama, LM Studio, llama.cpp and vLLM on their usual ports. Their models appear in the model picker within
        seconds, without a restart.

        **Any OpenAI-compatible server**, by environment variables, then restart 7x42:

        ```bash
        export Generation__Providers__0__Name=openai
        export Generation__Providers__0__BaseUrl=https://api.openai.com/v1
        export Generation__Providers__0__ApiKey=sk-…
        ```

        | setting | what it is |
        |---|---|
        | `Name` | a short name for the model picker |
        | `BaseUrl` | the server's address, with or without `/v1` |
        | `ApiKey` | its key, if it wants one |
        | `Models__0`, `Models__1`, … | which models to offer; all of them when absent |

        """;

    private const string Tricks = """
        ## What I can show you

        Write one or more of these words and I show what they stand for:

        - **markdown**: every element there is
        - **table**, **code** or **list**: just those
        - **think**: an answer with reasoning before it
        - **long**: two thousand words, to try scrolling, Stop and reloading
        - **slow**: a pause, then one token after the other

        """;

    private const string Table = """
        ## A table

        | Language | Year | Typing | Good for |
        |:---|---:|:---:|---|
        | C# | 2000 | static | this app |
        | Python | 1991 | dynamic | *notebooks* and glue |
        | SQL | 1974 | declarative | `SELECT` and **joins** |
        | JavaScript | 1995 | dynamic | as little as possible |

        """;

    private const string Code = """"
        ## Code

        Inline code looks like `var x = 42;`. A block of C#:

        ```csharp
        /// <summary>Counts the words of a text.</summary>
        public static int CountWords(string text) =>
            text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length; // 0 for ""
        ```

        The same in Python:

        ```python
        def count_words(text: str) -> int:
            """Counts the words of a text."""
            return len(text.split())
        ```

        Some SQL, some JSON, some shell, and a block in no language:

        ```sql
        SELECT user_id, count(*) AS messages
        FROM messages
        WHERE created_at > now() - interval '7 days'
        GROUP BY user_id ORDER BY messages DESC LIMIT 10;
        ```

        ```json
        { "name": "7x42", "answer": 42, "tags": ["chat", "real-time"], "demo": true }
        ```

        ```bash
        docker compose up --detach && curl --fail http://localhost:5042/health/ready
        ```

        ```
        plain text   keeps   its   spaces
          <b>and shows markup as it is</b> & nothing more
        ```

        """";

    private const string Lists = """
        ## Lists

        1. First
        2. Second, with more below it:
           - a point
           - another point
             1. deeper
             2. and deeper
                - as deep as anybody needs
        3. Third

        - [x] a finished task
        - [ ] an open task
        - [ ] one with **bold** words and a [link](https://example.com)

        """;

    private const string Elements = """
        # Heading 1
        ## Heading 2
        ### Heading 3
        #### Heading 4

        A paragraph with **bold**, *italic*, ***both***, ~~struck through~~ and `inline code`. It has a
        [link](https://example.com "with a title"), a bare address, https://example.com, and a line break  
        right here. Special characters are safe: < > & " ' \* \_ and emoji are whole: 👩‍🚀 🇪🇺 e̊.

        > A quote.
        >
        > > A quote inside it.
        >
        > - and a list in the quote

        ---

        """;

    private static readonly string[] Subjects =
        ["A message", "The log", "Every answer", "A reader", "The server", "A worker", "This text", "The connection"];

    private static readonly string[] Verbs =
        ["keeps", "carries", "repeats", "finds", "shows", "resumes", "counts", "remembers"];

    private static readonly string[] Objects =
    [
        "its place in the conversation", "what was written before", "one token after another", "the last position it has seen",
        "a little more than it was given", "nothing that was not asked for", "the words of the one before it",
        "enough to go on after a break",
    ];

    private static readonly string[] Endings =
    [
        "even when the network goes away for a while", "until somebody presses Stop", "so that a reload changes nothing",
        "as long as the script goes on", "because this is a demonstration and nothing else", "on every device at once",
        "without losing or doubling a character", "whether or not anybody watches",
    ];

    /// <summary>The answer to a prompt.</summary>
    public static DemoAnswer For(string prompt)
    {
        var words = Words().Matches(prompt).Select(m => m.Value.ToLowerInvariant()).ToHashSet();
        var text = new StringBuilder(Disclosure);
        var before = text.Length;
        if (words.Contains("markdown"))
            text.Append(Elements).Append(Lists).Append(Table).Append(Code);
        if (!words.Contains("markdown"))
        {
            if (words.Overlaps(["list", "lists"]))
                text.Append(Lists);
            if (words.Overlaps(["table", "tables"]))
                text.Append(Table);
            if (words.Contains("code"))
                text.Append(Code);
        }

        if (words.Contains("long"))
            AppendLongText(text);
        var slow = words.Contains("slow");
        var reasoning = words.Overlaps(["think", "thinking", "reason", "reasoning"]) ? Reasoning(prompt, words.Count) : "";
        if (text.Length == before)
        {
            text.Append(slow || reasoning.Length > 0 ? "" : Said(prompt));
            text.Append(reasoning.Length > 0 ? "The lines above, folded away, are where a model's reasoning goes. Mine were written beforehand.\n\n" : "");
            text.Append(slow ? "This is how a slow model feels. Stop ends it at any moment and keeps what is there.\n\n" : "");
            text.Append(slow ? "" : Connect).Append(slow ? "" : Tricks);
        }

        return new DemoAnswer(reasoning, text.ToString().ReplaceLineEndings("\n").TrimEnd() + "\n", slow);
    }

    /// <summary>A title: the person's own first words.</summary>
    public static string Title(string prompt)
    {
        var line = prompt.Split('\n').FirstOrDefault(l => !string.IsNullOrWhiteSpace(l)) ?? "";
        var words = Markup().Replace(line, " ").Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        var title = string.Join(' ', words.Take(6)).TrimEnd('.', ',', ':', ';', '?', '!');
        if (title.Length == 0)
            return "New chat";
        if (title.Length > MaxTitle)
            title = title[..(char.IsHighSurrogate(title[MaxTitle - 1]) ? MaxTitle - 1 : MaxTitle)];
        return char.ToUpperInvariant(title[0]) + title[1..];
    }

    /// <summary>What is left of an answer that begins with <paramref name="written"/>.</summary>
    public static string Rest(string answer, string written)
    {
        if (answer.StartsWith(written, StringComparison.Ordinal))
            return answer[written.Length..];
        return "\n\n(This was not my text, so I can't continue it. " + Disclosure.Trim('\n', '*') + ")\n";
    }

    /// <summary>Cuts a text the way models do: a word with the space before it, long ones in parts.</summary>
    public static IEnumerable<string> Tokens(string text) => Pieces().Matches(text).Select(m => m.Value);

    private static string Said(string prompt)
    {
        var count = prompt.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        return count switch
        {
            0 => "",
            1 => "Your message has arrived; it has one word. A model would answer it.\n\n",
            _ => $"Your message has arrived; it has {count.ToString(CultureInfo.InvariantCulture)} words. A model would answer them.\n\n",
        };
    }

    private static string Reasoning(string prompt, int distinctWords) =>
        $"The message has {prompt.Length.ToString(CultureInfo.InvariantCulture)} characters and "
        + $"{distinctWords.ToString(CultureInfo.InvariantCulture)} different words, one of which asks for reasoning.\n\n"
        + "A model would now weigh what is meant. I have no opinion, so I take the answer that the script holds for this word, "
        + "and I say where it comes from.\n";

    private static void AppendLongText(StringBuilder text)
    {
        text.Append("## Two thousand words\n\nThey are put together from a few phrases by counting, so don't look for meaning.\n");
        for (var section = 0; section < 12; section++)
        {
            text.Append(CultureInfo.InvariantCulture, $"\n### Part {section + 1}\n\n");
            for (var sentence = 0; sentence < 12; sentence++)
            {
                var n = (section * 12) + sentence;
                text.Append(Subjects[n % 8]).Append(' ').Append(Verbs[(n + (n / 8)) % 8]).Append(' ').Append(Objects[(n * 3 + section) % 8])
                    .Append(", ").Append(Endings[(n * 5 + section) % 8]).Append(sentence == 5 ? ".\n\n" : ". ");
            }

            text.Append('\n');
            if (section % 3 == 2)
                text.Append("\n- ").Append(Objects[section % 8]).Append("\n- **").Append(Endings[section % 8]).Append("**\n- `part ").Append(section + 1).Append("`\n");
        }
    }

    [GeneratedRegex(@"\p{L}+")]
    private static partial Regex Words();

    [GeneratedRegex(@"[`*_#>\[\]()""<]+|https?://\S+")]
    private static partial Regex Markup();

    [GeneratedRegex(@"\s?\S{1,6}|\s")]
    private static partial Regex Pieces();
}
