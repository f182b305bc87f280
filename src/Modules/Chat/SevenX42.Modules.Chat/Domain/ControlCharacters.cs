namespace SevenX42.Modules.Chat.Domain;

/// <summary>Characters that are no text: nobody sees them, and terminals, indexes and marks of our own take them for something.</summary>
internal static class ControlCharacters
{
    /// <summary>Whether a text of several lines holds any.</summary>
    public static bool InText(string text) => text.Any(c => char.IsControl(c) && c is not ('\n' or '\t'));

    /// <summary>Whether a single line holds any.</summary>
    public static bool InLine(string text) => text.Any(char.IsControl);
}
