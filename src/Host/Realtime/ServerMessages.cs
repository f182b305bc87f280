using System.Buffers;
using System.Text.Json;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>Why a channel is denied, or a subscription must begin again from the snapshot.</summary>
internal static class RealtimeCodes
{
    /// <summary>There is no such channel, or it is not the user's: the two look the same.</summary>
    public const string NotFound = "not_found";

    /// <summary>The connection has as many channels as it may.</summary>
    public const string TooManyChannels = "too_many_channels";

    /// <summary>Something this needs is away; try again in a while.</summary>
    public const string Unavailable = "unavailable";

    /// <summary>The log began again.</summary>
    public const string Epoch = "epoch";

    /// <summary>The log no longer holds what comes after the client's position.</summary>
    public const string Lag = "lag";

    /// <summary>The projector failed; it was made anew.</summary>
    public const string Fault = "fault";
}

/// <summary>Close codes of <c>7x42.v1</c>: 44xx reconnect, 45xx are final.</summary>
internal static class RealtimeCloseCodes
{
    public const int Normal = 1000;
    public const int TooBig = 1009;
    public const int Draining = 1012;
    public const int TokenExpired = 4401;
    public const int NoAcknowledgement = 4408;
    public const int SlowDown = 4429;
    public const int Malformed = 4500;
    public const int SignedOut = 4503;
}

/// <summary>The server's control messages of <c>7x42.v1</c>.</summary>
internal static class ServerMessages
{
    /// <summary>The subprotocol's name.</summary>
    public const string Subprotocol = "7x42.v1";

    /// <summary>What the subprotocol that carries the token begins with.</summary>
    public const string TokenPrefix = "jwt.";

    public static ReadOnlySpan<byte> BeatBytes => """{"op":"beat"}"""u8;

    public static SharedFrame Beat() => SharedFrame.Control(BeatBytes);

    public static SharedFrame Hello(string connection, RealtimeOptions options) => Write("hello", json =>
    {
        json.WriteString("conn"u8, connection);
        json.WriteNumber("beat"u8, (int)Math.Ceiling(options.BeatInterval.TotalSeconds));
        json.WriteNumber("window"u8, options.ChannelWindowBytes);
        json.WriteNumber("max"u8, options.MaxMessageBytes);
    });

    public static SharedFrame Subscribed(int id, int number, ChannelPosition position, bool recovered) => Write("subbed", json =>
    {
        json.WriteNumber("id"u8, id);
        json.WriteNumber("c"u8, number);
        json.WriteString("pos"u8, position.ToString());
        json.WriteBoolean("recovered"u8, recovered);
    });

    public static SharedFrame Denied(int id, string code) => Write("denied", json =>
    {
        json.WriteNumber("id"u8, id);
        json.WriteString("code"u8, code);
    });

    public static SharedFrame Reset(int number, ChannelPosition head, string code) => Write("reset", json =>
    {
        json.WriteNumber("c"u8, number);
        json.WriteString("pos"u8, head.ToString());
        json.WriteString("code"u8, code);
    });

    public static SharedFrame Authenticated(int seconds) => Write("authed", json => json.WriteNumber("expires"u8, seconds));

    public static SharedFrame Error(string code, int? retry = null) => Write("error", json =>
    {
        json.WriteString("code"u8, code);
        if (retry is { } milliseconds)
            json.WriteNumber("retry"u8, milliseconds);
    });

    public static SharedFrame Bye(int after) => Write("bye", json => json.WriteNumber("after"u8, after));

    private static SharedFrame Write(string op, Action<Utf8JsonWriter> fields)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("op"u8, op);
            fields(json);
            json.WriteEndObject();
        }

        return SharedFrame.Control(buffer.WrittenSpan);
    }
}
