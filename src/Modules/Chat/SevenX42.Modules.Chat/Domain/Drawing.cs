using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Chat.Domain;

/// <summary>That pictures are asked for, and not text, and how.</summary>
/// <param name="Model">Id of the model that draws.</param>
/// <param name="Prompt">What to draw.</param>
/// <param name="Options">How.</param>
internal sealed record Drawing(string Model, string Prompt, ImageOptions Options)
{
    private const string Command = "/image";

    /// <summary>What a message asks to be drawn that begins with the command; <see langword="null"/> when it does not.</summary>
    public static string? PromptOf(string text)
    {
        var trimmed = text.AsSpan().TrimStart();
        if (!trimmed.StartsWith(Command, StringComparison.OrdinalIgnoreCase))
            return null;
        var rest = trimmed[Command.Length..];
        return rest.Length == 0 || char.IsWhiteSpace(rest[0]) ? rest.Trim().ToString() : null;
    }

    /// <summary>What stands for pictures where only text can stand: in a model's context, in a search.</summary>
    public static string TextOf(int pictures) => pictures switch
    {
        0 => "",
        1 => "(A picture.)",
        _ => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"({pictures} pictures.)"),
    };
}
