namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>Whether a wake-up came.</summary>
internal sealed class Signal
{
    private TaskCompletionSource _set = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsSet => Volatile.Read(ref _set).Task.IsCompleted;

    public void Set() => Volatile.Read(ref _set).TrySetResult();

    public void Reset() => Volatile.Write(ref _set, new(TaskCreationOptions.RunContinuationsAsynchronously));

    public async Task<bool> WaitAsync(TimeSpan limit)
    {
        try
        {
            await Volatile.Read(ref _set).Task.WaitAsync(limit, TestContext.Current.CancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
