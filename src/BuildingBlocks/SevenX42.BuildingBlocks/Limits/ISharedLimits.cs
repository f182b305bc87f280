namespace SevenX42.Limits;

/// <summary>
/// Limits that hold over all processes of an installation. They never fail: a process that can't ask the others in a fraction of
/// a second decides by what it knows itself.
/// </summary>
public interface ISharedLimits
{
    /// <summary>Takes a token from a bucket.</summary>
    /// <param name="bucket">What is limited, and for whom: <c>requests/{user}</c>. Unused, it is full.</param>
    /// <param name="rate">How large it is, and how fast it fills.</param>
    /// <param name="cancellationToken">Cancels the wait, not the taking.</param>
    /// <returns><see cref="TimeSpan.Zero"/> when it is taken; otherwise how long until there is one.</returns>
    ValueTask<TimeSpan> TakeAsync(string bucket, Rate rate, CancellationToken cancellationToken);

    /// <summary>Takes one of a limited number of places.</summary>
    /// <param name="room">Where, and whose: <c>connections/{user}</c>.</param>
    /// <param name="most">How many may be taken at once.</param>
    /// <param name="cancellationToken">Cancels the wait; the place is then free.</param>
    /// <returns>To be disposed when the place is free again; <see langword="null"/> when all are taken.</returns>
    ValueTask<IDisposable?> EnterAsync(string room, int most, CancellationToken cancellationToken);
}
