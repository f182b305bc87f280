namespace SevenX42.Modules.Media.Infrastructure.Blobs;

/// <summary>
/// An object to be read from any place of it: it is asked for when the first byte is, from where the reader stands, and again when
/// the reader has moved. Whoever wants the length alone has cost nothing.
/// </summary>
/// <param name="length">Its length in bytes.</param>
/// <param name="longestRead">How long each read of what was asked for may take: a store that stalls must not hold whoever reads.</param>
/// <param name="open">Asks for it from a position to its end.</param>
internal sealed class S3ObjectStream(long length, TimeSpan longestRead, Func<long, CancellationToken, Task<Stream>> open) : Stream
{
    private Stream? _body;
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position
    {
        get => _position;
        set => Seek(value, SeekOrigin.Begin);
    }

    public override long Seek(long offset, SeekOrigin origin)
    {
        var target = offset + origin switch
        {
            SeekOrigin.Begin => 0,
            SeekOrigin.Current => _position,
            _ => length,
        };
        ArgumentOutOfRangeException.ThrowIfNegative(target, nameof(offset));
        if (target != _position)
            Close(ref _body);
        return _position = target;
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position >= length || buffer.IsEmpty)
            return 0;
        _body ??= await open(_position, cancellationToken);
        var count = await ReadInTimeAsync(_body, buffer, cancellationToken);
        // Less than was promised must not look like the end.
        if (count == 0)
            throw new EndOfStreamException("The object store ended an object early.");
        _position += count;
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            Close(ref _body);
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadInTimeAsync(Stream body, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(longestRead);
        try
        {
            return await body.ReadAsync(buffer, limit.Token);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The object store stopped in the middle of an object.", e);
        }
    }

    private static void Close(ref Stream? body)
    {
        body?.Dispose();
        body = null;
    }
}
