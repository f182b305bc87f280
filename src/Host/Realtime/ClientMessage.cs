using System.Text.Json;

namespace SevenX42.Host.Realtime;

internal enum ClientOp
{
    /// <summary>Well-formed, but of another version of the protocol.</summary>
    Unknown,
    Subscribe,
    Unsubscribe,
    Acknowledge,
    Authenticate,
    Beat,
}

/// <summary>One message of a client. Acknowledgements, the frequent ones, are read without an allocation.</summary>
internal readonly record struct ClientMessage(
    ClientOp Op, int Id, int Number, long Seq, string? Channel, string? Position, string? Token, bool Raw)
{
    private static readonly JsonReaderOptions Json = new() { MaxDepth = 8 };

    /// <summary>Reads a message.</summary>
    /// <returns>
    /// <see langword="false"/> when it is no JSON object with an <c>op</c>, or a field is missing or of the wrong type.
    /// </returns>
    public static bool TryParse(ReadOnlySpan<byte> utf8, out ClientMessage message)
    {
        try
        {
            return TryRead(utf8, out message);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: an escaped lone surrogate in a string.
            message = default;
            return false;
        }
    }

    private static bool TryRead(ReadOnlySpan<byte> utf8, out ClientMessage message)
    {
        message = default;
        var reader = new Utf8JsonReader(utf8, Json);
        var (op, id, number, seq) = (default(ClientOp?), -1, -1, -1L);
        string? channel = null, position = null, token = null;
        var raw = false;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var valid = true;
            if (reader.ValueTextEquals("op"u8))
                valid = (op = ReadOp(ref reader)) is not null;
            else if (reader.ValueTextEquals("c"u8))
                valid = reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out number) && number >= 0;
            else if (reader.ValueTextEquals("seq"u8))
                valid = reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out seq) && seq >= 0;
            else if (reader.ValueTextEquals("id"u8))
                valid = reader.Read() && reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out id) && id >= 0;
            else if (reader.ValueTextEquals("ch"u8))
                valid = TryReadString(ref reader, out channel);
            else if (reader.ValueTextEquals("pos"u8))
                valid = (reader.Read() && reader.TokenType == JsonTokenType.Null) || TryGetString(ref reader, out position);
            else if (reader.ValueTextEquals("token"u8))
                valid = TryReadString(ref reader, out token);
            else if (reader.ValueTextEquals("as"u8))
                valid = raw = reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("raw"u8);
            else
                reader.Skip();
            if (!valid)
                return false;
        }

        // Read to the end, so that anything after the object is an error too.
        while (reader.Read())
        {
        }

        message = new ClientMessage(op.GetValueOrDefault(), id, number, seq, channel, position, token, raw);
        return op switch
        {
            ClientOp.Subscribe => id >= 0 && channel is not null,
            ClientOp.Unsubscribe => number >= 0,
            ClientOp.Acknowledge => number >= 0 && seq >= 0,
            ClientOp.Authenticate => token is not null,
            ClientOp.Beat or ClientOp.Unknown => true,
            _ => false,
        };
    }

    private static ClientOp? ReadOp(ref Utf8JsonReader reader)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.String)
            return null;
        if (reader.ValueTextEquals("ack"u8))
            return ClientOp.Acknowledge;
        if (reader.ValueTextEquals("beat"u8))
            return ClientOp.Beat;
        if (reader.ValueTextEquals("sub"u8))
            return ClientOp.Subscribe;
        if (reader.ValueTextEquals("unsub"u8))
            return ClientOp.Unsubscribe;
        return reader.ValueTextEquals("auth"u8) ? ClientOp.Authenticate : ClientOp.Unknown;
    }

    private static bool TryReadString(ref Utf8JsonReader reader, out string? value)
    {
        value = null;
        return reader.Read() && TryGetString(ref reader, out value);
    }

    private static bool TryGetString(ref Utf8JsonReader reader, out string? value)
    {
        value = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        return value is not null;
    }
}
