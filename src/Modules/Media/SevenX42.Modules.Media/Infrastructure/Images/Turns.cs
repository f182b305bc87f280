namespace SevenX42.Modules.Media.Infrastructure.Images;

/// <summary>
/// A few places that people take turns at. Of each person one at most is in a place or queues for one; whatever else they send waits
/// behind that, so that somebody with many pictures makes only themselves wait.
/// </summary>
internal sealed class Turns(int places, TimeProvider time) : IDisposable
{
    private readonly SemaphoreSlim _places = new(places);
    private readonly Dictionary<Guid, Line> _lines = [];

    /// <summary>Waits for a place.</summary>
    /// <param name="person">Who wants it.</param>
    /// <param name="longest">How long to wait, for those before of the same person and for the place together.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    /// <returns>The place, to be disposed when it is free again; <see langword="null"/> when there was none in time.</returns>
    public async Task<IDisposable?> TakeAsync(Guid person, TimeSpan longest, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(longest, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        var line = Join(person);
        var isFirst = false;
        try
        {
            await line.Head.WaitAsync(either.Token);
            isFirst = true;
            await _places.WaitAsync(either.Token);
            return new Place(this, person, line);
        }
        catch (OperationCanceledException)
        {
            Leave(person, line, isFirst);
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    public void Dispose() => _places.Dispose();

    private Line Join(Guid person)
    {
        lock (_lines)
        {
            if (!_lines.TryGetValue(person, out var line))
                _lines.Add(person, line = new Line());
            line.Count++;
            return line;
        }
    }

    private void Leave(Guid person, Line line, bool isFirst)
    {
        lock (_lines)
        {
            if (isFirst)
                line.Head.Release();
            if (--line.Count > 0)
                return;
            _lines.Remove(person);
            line.Head.Dispose();
        }
    }

    /// <summary>Those of one person.</summary>
    private sealed class Line
    {
        public SemaphoreSlim Head { get; } = new(1);

        public int Count { get; set; }
    }

    private sealed class Place(Turns turns, Guid person, Line line) : IDisposable
    {
        public void Dispose()
        {
            turns._places.Release();
            turns.Leave(person, line, isFirst: true);
        }
    }
}
