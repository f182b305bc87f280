using System.Net;

namespace SevenX42.Modules.Identity.Domain;

/// <summary>
/// One sign-in on one device. The cookie only names it; whether it still counts is decided here, so it can be ended from
/// anywhere.
/// </summary>
internal sealed class Session
{
    public const int UserAgentLength = 256;

    private Session()
    {
    }

    public Guid Id { get; private init; }

    public Guid UserId { get; private init; }

    public DateTimeOffset CreatedAt { get; private init; }

    /// <summary>Last request, a few minutes exact.</summary>
    public DateTimeOffset LastSeenAt { get; private set; }

    /// <summary>When it ends unless it is used before.</summary>
    public DateTimeOffset ExpiresAt { get; private set; }

    /// <summary>When it was ended before its time. It expires with that, too, so that one index finds what is over.</summary>
    public DateTimeOffset? RevokedAt { get; private set; }

    public string UserAgent { get; private init; } = "";

    public IPAddress? Address { get; private set; }

    public static Session Open(Guid userId, Device device, TimeSpan lifetime, DateTimeOffset now) => new()
    {
        Id = Guid.CreateVersion7(now),
        UserId = userId,
        CreatedAt = now,
        LastSeenAt = now,
        ExpiresAt = now + lifetime,
        UserAgent = device.UserAgent.Length > UserAgentLength ? device.UserAgent[..UserAgentLength] : device.UserAgent,
        Address = device.Address,
    };

}

/// <summary>What a request tells of the device it came from.</summary>
internal sealed record Device(string UserAgent, IPAddress? Address);
