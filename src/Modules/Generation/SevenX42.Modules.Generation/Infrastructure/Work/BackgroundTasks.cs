namespace SevenX42.Modules.Generation.Infrastructure.Work;

internal static class BackgroundTasks
{
    /// <summary>Lets a task run on its own; its faults are its own affair.</summary>
    public static void Forget(this Task task) => task.ContinueWith(
        static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
