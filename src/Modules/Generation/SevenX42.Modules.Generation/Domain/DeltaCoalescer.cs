namespace SevenX42.Modules.Generation.Domain;

/// <summary>
/// Decides when streamed text is handed on: the first piece at once, after that no more often than every
/// <see cref="Interval"/>. A quiet stream's next piece goes at once, too. Pure: the caller brings the time.
/// </summary>
internal sealed class DeltaCoalescer(TimeSpan interval)
{
    private TimeSpan? _last;

    public TimeSpan Interval { get; } = interval;

    /// <summary>How long a piece that is there at <paramref name="now"/> has to wait.</summary>
    /// <param name="now">Time since any fixed moment.</param>
    public TimeSpan DueIn(TimeSpan now) =>
        _last is not { } last || now - last >= Interval ? TimeSpan.Zero : last + Interval - now;

    /// <summary>A piece was handed on.</summary>
    public void HandedOn(TimeSpan now) => _last = now;
}
