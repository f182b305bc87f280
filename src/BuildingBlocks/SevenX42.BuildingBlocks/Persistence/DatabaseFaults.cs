using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace SevenX42.Persistence;

/// <summary>What went wrong with the database, whatever it is wrapped in.</summary>
public static class DatabaseFaults
{
    /// <summary>Whether a fault is the database being away, restarting or busy: worth another try.</summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        NpgsqlException { IsTransient: true } => true,

        // Shutting down, starting up, crashed; a deadlock's victim.
        PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "40P01" or "40001" or "53300" } => true,

        // Takes no writes: its disk is full, or another one is primary by now.
        PostgresException { SqlState: PostgresErrorCodes.ReadOnlySqlTransaction } => true,
        PostgresException => false,
        NpgsqlException or TimeoutException or IOException => true,

        // As EF Core passes on what may pass, once or twice.
        DbUpdateException { InnerException: { } inner } => IsTransient(inner),
        InvalidOperationException { InnerException: { } inner } => IsTransient(inner),
        _ => false,
    };
}
