using System.Text.Json;

namespace SevenX42.Testing;

/// <summary>The HTML blocks of one answer as a client has assembled them from <c>begin</c>, <c>delta</c> and <c>+</c> events.</summary>
public sealed class StreamedBlocks
{
    private readonly SortedDictionary<int, string> _blocks = [];
    private (int Block, int Keep, int KeepEnd)? _caret;

    /// <summary>The blocks in their order.</summary>
    public IReadOnlyCollection<string> Blocks => _blocks.Values;

    /// <summary>A block as the page came with it.</summary>
    public void Show(int block, string html) => _blocks[block] = html;

    /// <summary>Whether an event of this type is for these blocks.</summary>
    public static bool Takes(string type) => type is "begin" or "delta" or "+";

    /// <summary>Takes the data of such an event, whose first element is the answer's number.</summary>
    /// <exception cref="InvalidOperationException">It builds on text that is not there.</exception>
    public void Take(string type, JsonElement data)
    {
        switch (type)
        {
            case "begin":
                foreach (var block in _blocks.Keys.Where(b => b >= data[1].GetInt32()).ToList())
                    _blocks.Remove(block);
                break;
            case "+":
                var (at, keep, keepEnd) = _caret ?? throw new InvalidOperationException("More for a delta that never came.");
                Insert(at, keep, data[1].GetString()!, keepEnd);
                break;
            default:
                foreach (var delta in data.EnumerateArray().Skip(1))
                    Insert(delta[0].GetInt32(), delta[1].GetInt32(), delta[2].GetString()!, delta[3].GetInt32());
                break;
        }
    }

    private void Insert(int block, int keep, string inserted, int keepEnd)
    {
        var html = _blocks.GetValueOrDefault(block, "");
        if (keep + keepEnd > html.Length)
            throw new InvalidOperationException($"A delta keeps {keep} and {keepEnd} of the {html.Length} characters of block {block}.");
        _blocks[block] = string.Concat(html.AsSpan(0, keep), inserted, html.AsSpan(html.Length - keepEnd));
        _caret = (block, keep + inserted.Length, keepEnd);
    }
}
