using System.Globalization;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <summary>Names of Chat's channels, and of answers on them.</summary>
internal static class Channels
{
    public const string ConversationPrefix = "conversation/";
    public const string UserPrefix = "user/";

    public static string OfConversation(Guid id) => $"{ConversationPrefix}{id:D}";

    public static string OfUser(Guid id) => $"{UserPrefix}{id:D}";

    public static string SubjectOf(int number) => number.ToString(CultureInfo.InvariantCulture);
}
