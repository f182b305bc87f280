using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using TextMateSharp.Grammars;
using TextMateSharp.Registry;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// Highlights the lines of one code block, one after the other, by CSS classes. A line's tokens depend on the lines before
/// it and on nothing after it, so a line that is complete is highlighted once, also while the block still streams.
/// </summary>
internal sealed class CodeHighlighter
{
    private const int LongestLine = 1_000;
    private const int MostLines = 2_000;

    // So long that a busy machine alone never reaches it: what is highlighted must not depend on how busy it is.
    private static readonly TimeSpan LineLimit = TimeSpan.FromSeconds(5);

    // Longest prefix first: the first that fits a scope wins. No class: as plain text, so that a page has no element for it.
    private static readonly (string Scope, string? Class)[] Map =
    [
        ("comment", "hl-comment"), ("string", "hl-string"), ("constant.numeric", "hl-number"), ("constant.character", "hl-string"),
        ("constant", "hl-constant"), ("keyword.operator.expression", "hl-keyword"), ("keyword.operator.new", "hl-keyword"), ("keyword.operator", null), ("keyword", "hl-keyword"), ("storage", "hl-keyword"),
        ("entity.name.function", "hl-function"), ("support.function", "hl-function"), ("entity.name.type", "hl-type"),
        ("entity.name.class", "hl-type"), ("support.type", "hl-type"), ("support.class", "hl-type"), ("entity.name.tag", "hl-tag"),
        ("entity.other.attribute-name", "hl-attribute"), ("variable", null),
        ("markup.inserted", "hl-inserted"), ("markup.deleted", "hl-deleted"), ("markup.heading", "hl-keyword"),
    ];

    private static readonly RegistryOptions Options = new(ThemeName.DarkPlus);
    private static readonly Registry Registry = new(Options);
    private static readonly HashSet<string> Known = [.. Options.GetAvailableLanguages().Select(l => l.Id)];

    // Of known languages alone: what a model writes behind a fence is kept nowhere.
    private static readonly ConcurrentDictionary<string, IGrammar?> Grammars = new();

    // Grammars compile their rules while they tokenise, and are not made for two threads at once.
    private static readonly Lock Gate = new();

    private IGrammar? _grammar;
    private IStateStack? _state;
    private int _lines;

    private CodeHighlighter(IGrammar? grammar) => _grammar = grammar;

    /// <summary>Every class that a line can carry.</summary>
    public static IReadOnlyList<string> Classes { get; } = [.. Map.Select(m => m.Class).OfType<string>().Distinct()];

    /// <summary>A highlighter at the first line of a block.</summary>
    /// <param name="language">As written after the fence; unknown ones are not highlighted.</param>
    public static CodeHighlighter For(string language) =>
        new(language.Length <= 30 && IdOf(language) is var id && Known.Contains(id) ? Grammars.GetOrAdd(id, Load) : null);

    /// <summary>The next line as HTML, without its line break.</summary>
    public string Next(string line)
    {
        var html = Render(line, out var state);
        _state = state;
        _lines++;
        return html;
    }

    /// <summary>The next line as it looks so far; it is not complete yet.</summary>
    public string Peek(string line) => Render(line, out _);

    private string Render(string line, out IStateStack? state)
    {
        state = _state;
        if (_grammar is null || line.Length > LongestLine || _lines > MostLines)
            return CodeFrame.Escape(line);
        ITokenizeLineResult result;
        TimeSpan elapsed;
        lock (Gate)
        {
            var started = Stopwatch.GetTimestamp();
            result = _grammar.TokenizeLine(new LineText(line), _state, LineLimit);
            elapsed = Stopwatch.GetElapsedTime(started);
        }

        if (elapsed >= LineLimit)
        {
            // A line that its grammar can't come to terms with; the others wait for no second one.
            _grammar = null;
            return CodeFrame.Escape(line);
        }

        state = result.RuleStack;
        var html = new StringBuilder(line.Length * 2);
        string? open = null;
        foreach (var token in result.Tokens)
        {
            var start = Math.Min(token.StartIndex, line.Length);
            var end = Math.Min(token.EndIndex, line.Length);
            if (end <= start)
                continue;
            var css = ClassOf(token.Scopes);
            if (css != open)
            {
                if (open is not null)
                    html.Append("</span>");
                if (css is not null)
                    html.Append("<span class=\"").Append(css).Append("\">");
                open = css;
            }

            html.Append(CodeFrame.Escape(line[start..end]));
        }

        if (open is not null)
            html.Append("</span>");
        return html.ToString();
    }

    private static string? ClassOf(List<string> scopes)
    {
        for (var i = scopes.Count - 1; i >= 0; i--)
        {
            foreach (var (scope, css) in Map)
            {
                if (scopes[i].StartsWith(scope, StringComparison.Ordinal))
                    return css;
            }
        }

        return null;
    }

    private static string IdOf(string language) => language.ToLowerInvariant() switch
    {
        "c#" or "cs" => "csharp",
        "js" or "mjs" or "node" => "javascript",
        "ts" => "typescript",
        "py" => "python",
        "sh" or "bash" or "shell" or "zsh" or "console" => "shellscript",
        "yml" => "yaml",
        "md" => "markdown",
        "rb" => "ruby",
        "rs" => "rust",
        "golang" => "go",
        "c++" => "cpp",
        "f#" => "fsharp",
        "ps1" or "pwsh" => "powershell",
        "docker" => "dockerfile",
        var other => other,
    };

    private static IGrammar? Load(string id)
    {
        lock (Gate)
            return Options.GetScopeByLanguageId(id) is { } scope ? Registry.LoadGrammar(scope) : null;
    }
}
