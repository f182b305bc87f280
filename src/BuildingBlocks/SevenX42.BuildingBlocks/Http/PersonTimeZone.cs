using Microsoft.AspNetCore.Http;

namespace SevenX42.Http;

/// <summary>Where "today" begins for whoever asks.</summary>
public static class PersonTimeZone
{
    private const string Cookie = "tz";

    /// <summary>The zone that the page's script has told (an IANA name in the cookie <c>tz</c>); UTC until it has.</summary>
    public static TimeZoneInfo TimeZone(this HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Cookies[Cookie] is { Length: > 0 and <= 64 } name && TimeZoneInfo.TryFindSystemTimeZoneById(name, out var zone)
            ? zone
            : TimeZoneInfo.Utc;
    }
}
