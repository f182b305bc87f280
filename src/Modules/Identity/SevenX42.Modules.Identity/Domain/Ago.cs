namespace SevenX42.Modules.Identity.Domain;

/// <summary>How long ago something was, as people say it.</summary>
internal static class Ago
{
    public static string Of(TimeSpan elapsed) => elapsed switch
    {
        { TotalMinutes: < 10 } => "just now",
        { TotalHours: < 1 } => $"{elapsed.Minutes} minutes ago",
        { TotalHours: < 2 } => "an hour ago",
        { TotalDays: < 1 } => $"{elapsed.Hours} hours ago",
        { TotalDays: < 2 } => "yesterday",
        _ => $"{elapsed.Days} days ago",
    };
}
