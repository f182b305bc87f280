using System.Runtime.CompilerServices;

namespace SevenX42.Testing;

/// <summary>Waits for what becomes true by itself, with a limit.</summary>
public static class Eventually
{
    /// <summary>Polls a condition until it holds.</summary>
    /// <exception cref="TimeoutException">It did not hold in time.</exception>
    public static Task TrueAsync(
        Func<bool> condition, TimeSpan? limit = null, [CallerArgumentExpression(nameof(condition))] string? text = null) =>
        TrueAsync(() => Task.FromResult(condition()), limit, text);

    /// <summary>Polls a condition until it holds.</summary>
    /// <exception cref="TimeoutException">It did not hold in time.</exception>
    public static async Task TrueAsync(
        Func<Task<bool>> condition, TimeSpan? limit = null, [CallerArgumentExpression(nameof(condition))] string? text = null)
    {
        var time = TimeProvider.System;
        var started = time.GetTimestamp();
        while (!await condition())
        {
            if (time.GetElapsedTime(started) > (limit ?? TimeSpan.FromSeconds(20)))
                throw new TimeoutException($"Never came true: {text}");
            await Task.Delay(TimeSpan.FromMilliseconds(10), time);
        }
    }
}
