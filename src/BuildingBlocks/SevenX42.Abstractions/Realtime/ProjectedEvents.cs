using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace SevenX42.Realtime;

/// <summary>
/// Collects events in wire form: the events of a frame <c>[channel,[seq,"type",data],…]</c>, comma-separated
/// UTF-8. Written once, shared by every viewer. Reusable after <see cref="Clear"/>; not thread-safe.
/// </summary>
public sealed class ProjectedEvents : IDisposable
{
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly Utf8JsonWriter _json;

    /// <summary>An empty collection.</summary>
    // The default encoder escapes every '<' into six bytes; the bytes go over a socket as JSON, never into HTML.
    public ProjectedEvents() =>
        _json = new Utf8JsonWriter(_buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });

    /// <summary>How many events were written.</summary>
    public int Count { get; private set; }

    /// <summary>Sequence number of the last event written; 0 when there is none.</summary>
    public long LastSeq { get; private set; }

    /// <summary>The wire form. Valid until the next write or <see cref="Clear"/>.</summary>
    public ReadOnlySpan<byte> WrittenSpan => _buffer.WrittenSpan;

    /// <summary>Writes an event whose data is already JSON.</summary>
    /// <param name="seq">The log's sequence number the client has come to with this event.</param>
    /// <param name="type">Event type.</param>
    /// <param name="json">One JSON value, UTF-8.</param>
    public void Write(long seq, string type, ReadOnlySpan<byte> json)
    {
        var writer = Begin(seq, type);
        writer.WriteRawValue(json, skipInputValidation: true);
        End();
    }

    /// <summary>Begins an event; write exactly one JSON value to the returned writer, then call <see cref="End"/>.</summary>
    public Utf8JsonWriter Begin(long seq, string type)
    {
        if (Count++ > 0)
            _buffer.Write(","u8);
        LastSeq = seq;
        _json.Reset(_buffer);
        _json.WriteStartArray();
        _json.WriteNumberValue(seq);
        _json.WriteStringValue(type);
        return _json;
    }

    /// <summary>Ends the event that <see cref="Begin"/> began.</summary>
    public void End()
    {
        _json.WriteEndArray();
        _json.Flush();
    }

    /// <summary>Forgets everything written; keeps the memory.</summary>
    public void Clear()
    {
        _buffer.ResetWrittenCount();
        (Count, LastSeq) = (0, 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();
}
