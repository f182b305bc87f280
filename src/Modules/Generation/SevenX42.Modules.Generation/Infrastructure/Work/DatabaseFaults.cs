using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

internal static class DatabaseFaults
{
    /// <summary>Whether a fault is the database being away, restarting or busy: worth another try.</summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        NpgsqlException { IsTransient: true } => true,

        // Shutting down, starting up, crashed; a deadlock's victim.
        PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "40P01" or "40001" or "53300" } => true,
        PostgresException => false,
        NpgsqlException or TimeoutException or IOException => true,
        DbUpdateException { InnerException: { } inner } => IsTransient(inner),
        InvalidOperationException { InnerException: { } inner } => IsTransient(inner),
        _ => false,
    };

    /// <summary>Lets a task run on its own; its faults are its own affair.</summary>
    public static void Forget(this Task task) => task.ContinueWith(
        static t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
}
