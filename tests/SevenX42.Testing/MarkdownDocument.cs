using System.Globalization;
using System.Text;

namespace SevenX42.Testing;

/// <summary>Answers as models write them: headings, paragraphs, lists, tables, quotes, code, in seeded variety.</summary>
public static class MarkdownDocument
{
    private static readonly string[] Words =
        ("the a an of to in that it with as for was on are by this from at which or be have not but all when there what your can more "
        + "if one will about up so out them then some time people could other new than first these made over did most very after where "
        + "server channel answer reader position database message stream history example language memory paragraph question reply network "
        + "naïve café Größe 日本語 данные 😀 👩‍💻 1,000 3.14 x86 don't e.g. (maybe) \"quoted\" half-way a&b x<y y>z").Split(' ');

    private static readonly string[] Code =
    [
        "public static int Add(int a, int b) => a + b; // both", "if (value is null)\n    throw new ArgumentNullException(nameof(value));",
        "for (var i = 0; i < items.Count; i++)\n    Console.WriteLine($\"{i}: {items[i]}\");", "SELECT id, title FROM chat.conversations WHERE owner_id = $1;",
        "def area(r):\n    return 3.14159 * r ** 2", "const sum = (...xs) => xs.reduce((a, b) => a + b, 0);", "<p class=\"note\">5 &gt; 3</p>",
    ];

    private static readonly string[] Languages = ["csharp", "python", "js", "sql", "html", "", "text"];

    /// <summary>A document of at least so many words.</summary>
    public static string OfWords(int words, int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder();
        var count = 0;
        for (var section = 1; count < words; section++)
        {
            Add(string.Create(CultureInfo.InvariantCulture, $"{new string('#', random.Next(1, 4))} {section}. {Sentence(3, 7)}\n\n"));
            for (var i = random.Next(2, 6); i > 0 && count < words; i--)
                Add(Block() + "\n\n");
        }

        return text.ToString().TrimEnd('\n') + "\n";

        void Add(string block)
        {
            text.Append(block);
            count += block.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;
        }

        string Block() => random.Next(10) switch
        {
            0 => string.Join('\n', Many(3, 7, _ => $"- {Sentence(4, 14)}")),
            1 => string.Join('\n', Many(3, 6, i => $"{i + 1}. {Sentence(4, 14)}\n   - {Sentence(3, 8)}\n   - {Sentence(3, 8)}")),
            2 => string.Join('\n', Many(3, 5, i => $"- [{(i % 2 == 0 ? 'x' : ' ')}] {Sentence(3, 9)}")),
            3 => $"| {Sentence(1, 3)} | {Sentence(1, 3)} | Number |\n|:--|:-:|--:|\n{string.Join('\n', Many(3, 7, i => $"| {Sentence(1, 4)} | **{Sentence(1, 2)}** | {i * 37} |"))}",
            4 => $"```{Pick(Languages)}\n{string.Join('\n', Many(2, 6, _ => Pick(Code)))}\n```",
            5 => string.Join('\n', Many(1, 3, _ => $"> {Sentence(6, 18)}")),
            _ => string.Join(random.Next(3) == 0 ? "\n" : " ", Many(2, 6, _ => Sentence(6, 22))),
        };

        string Sentence(int least, int most) => string.Join(' ', Many(least, most, _ => Word()));

        string Word() => random.Next(28) switch
        {
            0 => $"**{Pick(Words)} {Pick(Words)}**",
            1 => $"*{Pick(Words)}*",
            2 => $"`{Pick(Words)}()`",
            3 => $"[{Pick(Words)} {Pick(Words)}](https://example.org/{random.Next(1000)}?a=1&b=2)",
            4 => $"~~{Pick(Words)}~~",
            5 => $"{Pick(Words)},",
            _ => Pick(Words),
        };

        string Pick(string[] values) => values[random.Next(values.Length)];

        IEnumerable<string> Many(int least, int most, Func<int, string> make) => [.. Enumerable.Range(0, random.Next(least, most + 1)).Select(make)];
    }
}
