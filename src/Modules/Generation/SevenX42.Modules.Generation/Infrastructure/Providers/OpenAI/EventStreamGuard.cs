using System.Buffers;
using System.Text.Json;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>What the guard has seen of a response.</summary>
internal sealed class StreamMonitor
{
    /// <summary>Whether the end mark <c>[DONE]</c> came.</summary>
    public bool IsDone { get; set; }

    /// <summary>Whether halves of characters came, which are disguised.</summary>
    public bool HasHalves { get; set; }
}

/// <summary>
/// Passes an event stream on, whole lines at a time, and looks at them: a line or a stream that is too long ends it, an
/// error inside it is thrown, finish reasons that the client does not know are translated, the end mark is noted.
/// </summary>
internal sealed class EventStreamGuard(Stream inner, StreamMonitor monitor, EventStreamLimits limits, Func<JsonElement, ProviderFault> explain)
    : Stream
{
    private static readonly string[] KnownFinishReasons = ["stop", "length", "content_filter", "tool_calls", "function_call"];

    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
    private int _start;
    private int _ready;
    private int _end;
    private long _total;
    private bool _ended;
    private byte[]? _translated;
    private int _translatedStart;
    private ProviderFault? _fault;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            if (_translated is { } translated)
            {
                var count = Math.Min(buffer.Length, translated.Length - _translatedStart);
                translated.AsMemory(_translatedStart, count).CopyTo(buffer);
                _translatedStart += count;
                if (_translatedStart == translated.Length)
                    _translated = null;
                return count;
            }

            if (_start < _ready)
            {
                var count = Math.Min(buffer.Length, _ready - _start);
                _buffer.AsMemory(_start, count).CopyTo(buffer);
                _start += count;
                return count;
            }

            if (_fault is { } fault)
                throw fault;
            if (Inspect())
                continue;
            if (_ended)
                return 0;
            await FillAsync(cancellationToken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
            if (_buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        base.Dispose(disposing);
    }

    /// <summary>Looks at the lines that are complete and makes them ready.</summary>
    /// <returns>Whether anything became ready.</returns>
    private bool Inspect()
    {
        try
        {
            return InspectLines();
        }
        catch (ProviderFault fault) when (_start < _ready)
        {
            // What came before it was right, and goes first.
            _fault = fault;
            return true;
        }
    }

    private bool InspectLines()
    {
        while (_ready < _end)
        {
            var rest = _buffer.AsSpan(_ready, _end - _ready);
            var length = rest.IndexOf((byte)'\n') + 1;
            if (length == 0)
            {
                if (rest.Length > limits.MaxLine)
                    throw new ProviderFault(limits.TooLong);
                if (!_ended)
                    break;
                length = rest.Length;
            }

            var line = rest[..length];
            if (line.Length > limits.MaxLine)
                throw new ProviderFault(limits.TooLong);
            if (LookAt(line) is { } translation)
            {
                // What came before it goes first.
                if (_start < _ready)
                    return true;
                (_translated, _translatedStart) = (translation, 0);
                _start = _ready += length;
                return true;
            }

            _ready += length;
        }

        return _start < _ready;
    }

    /// <summary>Looks at one line.</summary>
    /// <returns>What to pass on in its place; <see langword="null"/> for the line itself.</returns>
    private byte[]? LookAt(ReadOnlySpan<byte> line)
    {
        if (!line.StartsWith("data:"u8))
            return null;
        var data = line["data:"u8.Length..].Trim(" \r\n"u8);
        if (data.SequenceEqual("[DONE]"u8))
        {
            monitor.IsDone = true;
            return null;
        }

        // In a text these quotes would be escaped, so a match is a property. Only then it is worth a parse.
        if (data.IndexOf("\"error\""u8) >= 0)
            ThrowIfError(data);
        if (HalfCharacters.MayBeIn(data) && HalfCharacters.Hide(data) is { } hidden)
        {
            monitor.HasHalves = true;
            return Translate(hidden) ?? [.. "data: "u8, .. hidden, .. "\n"u8];
        }

        return Translate(data);
    }

    private void ThrowIfError(ReadOnlySpan<byte> data)
    {
        try
        {
            using var document = TolerantJson.Parse(data);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("error", out var error)
                && error.ValueKind is not (JsonValueKind.Null or JsonValueKind.False))
            {
                throw explain(root);
            }
        }
        catch (JsonException)
        {
            // The client says so in its own way.
        }
    }

    /// <summary>The client knows five finish reasons and throws at any other, of which there are many.</summary>
    private static byte[]? Translate(ReadOnlySpan<byte> data)
    {
        var at = data.IndexOf("\"finish_reason\""u8);
        if (at < 0)
            return null;
        var value = data[(at + "\"finish_reason\""u8.Length)..].TrimStart(" :"u8);
        if (value.IsEmpty || value[0] != '"')
            return null;
        var reason = value[1..];
        var end = reason.IndexOf((byte)'"');
        if (end < 0)
            return null;
        reason = reason[..end];
        foreach (var known in KnownFinishReasons)
        {
            if (System.Text.Encoding.ASCII.GetString(reason) == known)
                return null;
        }

        // "max_tokens" and the like are a limit of length; all others ("eos", "end_turn", …) are an end.
        var meaning = reason.IndexOf("max"u8) >= 0 || reason.IndexOf("length"u8) >= 0 ? "length"u8 : "stop"u8;
        var before = data[..(data.Length - value.Length + 1)];
        return [.. "data: "u8, .. before, .. meaning, .. value[(1 + end)..], .. "\n"u8];
    }

    private async ValueTask FillAsync(CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            _start = _ready = _end = 0;
        }
        else if (_end == _buffer.Length)
        {
            var kept = _end - _start;
            var target = kept > _buffer.Length / 2 ? ArrayPool<byte>.Shared.Rent(_buffer.Length * 2) : _buffer;
            _buffer.AsSpan(_start, kept).CopyTo(target);
            if (target != _buffer)
                ArrayPool<byte>.Shared.Return(_buffer);
            (_buffer, _ready, _start, _end) = (target, _ready - _start, 0, kept);
        }

        var read = await inner.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _ended = read == 0;
        _end += read;
        _total += read;
        if (_total > limits.MaxTotal)
            throw new ProviderFault(limits.TooLong);
    }
}

/// <summary>How much an event stream may hold.</summary>
/// <param name="MaxLine">Bytes of a line.</param>
/// <param name="MaxTotal">Bytes in all.</param>
/// <param name="TooLong">What is wrong with one that holds more.</param>
internal sealed record EventStreamLimits(int MaxLine, long MaxTotal, Domain.GenerationFailure TooLong);
