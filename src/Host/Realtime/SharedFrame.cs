using System.Buffers;
using Microsoft.Extensions.ObjectPool;
using SevenX42.Realtime;

namespace SevenX42.Host.Realtime;

/// <summary>
/// Bytes encoded once and sent to many: the events of a frame, or a whole control message. Counted references,
/// pooled: a delivered frame allocates nothing.
/// </summary>
internal sealed class SharedFrame
{
    private static readonly ObjectPool<SharedFrame> Pool =
        new DefaultObjectPool<SharedFrame>(new DefaultPooledObjectPolicy<SharedFrame>(), maximumRetained: 1_024);

    private byte[] _buffer = [];
    private int _references;

    /// <summary>Whether this is a whole message rather than events that still need their channel number.</summary>
    public bool IsControl { get; private set; }

    public int Length { get; private set; }

    /// <summary>Sequence number of the last event in it: what a client acknowledges.</summary>
    public long LastSeq { get; private set; }

    /// <summary>Where in the log a client stands that has it; beyond <see cref="LastSeq"/> when later events said nothing.</summary>
    public long Reached { get; private set; }

    public ReadOnlySpan<byte> Span => _buffer.AsSpan(0, Length);

    /// <summary>A frame of events, with one reference.</summary>
    public static SharedFrame Of(ProjectedEvents events, long reached) =>
        Create(events.WrittenSpan, isControl: false, events.LastSeq, reached);

    /// <summary>A control message, with one reference.</summary>
    public static SharedFrame Control(ReadOnlySpan<byte> message) => Create(message, isControl: true, 0, 0);

    public SharedFrame AddReference()
    {
        Interlocked.Increment(ref _references);
        return this;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0)
            return;
        if (_buffer.Length > 0)
            ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = [];
        Pool.Return(this);
    }

    private static SharedFrame Create(ReadOnlySpan<byte> bytes, bool isControl, long lastSeq, long reached)
    {
        var frame = Pool.Get();
        frame._buffer = bytes.IsEmpty ? [] : ArrayPool<byte>.Shared.Rent(bytes.Length);
        bytes.CopyTo(frame._buffer);
        (frame.Length, frame.IsControl, frame.LastSeq, frame.Reached) = (bytes.Length, isControl, lastSeq, reached);
        frame._references = 1;
        return frame;
    }
}
