using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// How far the pictures of an attempt are. See <see cref="IAttemptRecord"/>: every event says everything, so the last replaces the others.
/// </summary>
internal sealed class DrawingRecord(string subject, Guid generationId, ImageOptions options, Drawn drawn) : IAttemptRecord
{
    private readonly Lock _lock = new();
    private readonly List<NewChannelEvent> _notices = [];
    private Drawn _drawn = drawn;
    private long _version;
    private bool _isTold = true;

    public long Version
    {
        get
        {
            lock (_lock)
                return _version;
        }
    }

    // A picture that is stored is worth remembering at once, so that nobody draws it again.
    public int Length => Drawn.Pictures.Count * 1_000_000;

    /// <summary>Ten a second are a smooth bar.</summary>
    public TimeSpan Interval { get; } = TimeSpan.FromMilliseconds(100);

    public bool HasContent => Drawn.Pictures.Count > 0;

    public Drawn Drawn
    {
        get
        {
            lock (_lock)
                return _drawn;
        }
    }

    public (JobContent Content, long Version) Snapshot()
    {
        lock (_lock)
            return (new JobContent("", "", _drawn), _version);
    }

    public void Begin(int attempt)
    {
        lock (_lock)
        {
            _notices.Add(Transcript.StartedEvent(subject, generationId, attempt, 0, 0));
            _isTold = false;
        }
    }

    public void Clear(int attempt)
    {
        Change(_ => Drawn.Nothing);
        Begin(attempt);
    }

    public void Wait(string code, TimeSpan delay)
    {
        lock (_lock)
            _notices.Add(Transcript.WaitingEvent(subject, generationId, code, delay));
    }

    public void Complete()
    {
        // Each state is whole.
    }

    /// <summary>It is otherwise now.</summary>
    public void Change(Func<Drawn, Drawn> change)
    {
        lock (_lock)
        {
            var next = change(_drawn);
            if (next == _drawn)
                return;
            (_drawn, _isTold) = (next, false);
            _version++;
        }
    }

    public bool Take(List<NewChannelEvent> events)
    {
        lock (_lock)
        {
            events.AddRange(_notices);
            _notices.Clear();
            if (_isTold)
                return false;
            _isTold = true;
            events.Add(Transcript.ImageEvent(subject, generationId, _drawn.Progress(generationId, options)));
            return true;
        }
    }
}
