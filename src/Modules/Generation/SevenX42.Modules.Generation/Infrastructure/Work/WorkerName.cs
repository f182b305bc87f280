using System.Net.Sockets;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>
/// Sees to it that one living process has a worker's name: whoever takes a name frees what its last life left, and if that life went
/// on, this would be work that runs. The lock ends with its connection, and so with the process.
/// </summary>
internal sealed class WorkerName(PostgresDataSources sources, WorkerIdentity identity, TimeProvider time) : IAsyncDisposable
{
    /// <summary>How long a last life may take to be gone: its connection ends a moment after it.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(15);

    private NpgsqlConnection? _connection;
    private long _seen;

    /// <summary>Takes the name at the start. A database that is not there yet is left for later.</summary>
    /// <exception cref="OptionsValidationException">Another process has it, or its machine vanished a moment ago.</exception>
    public async Task TakeAsync(CancellationToken cancellationToken)
    {
        for (var started = time.GetTimestamp(); ;)
        {
            try
            {
                await HoldAsync(cancellationToken);
                return;
            }
            catch (Exception e) when (e is NpgsqlException or SocketException or TimeoutException)
            {
                return;
            }
            catch (OptionsValidationException) when (time.GetElapsedTime(started) < Patience)
            {
                await Task.Delay(RetryDelay, time, cancellationToken);
            }
        }
    }

    /// <summary>Takes the name, unless it is held already. To be called now and then.</summary>
    /// <exception cref="OptionsValidationException">Another process has it, or its machine vanished a moment ago.</exception>
    /// <exception cref="NpgsqlException">The database can't be asked.</exception>
    public async Task HoldAsync(CancellationToken cancellationToken)
    {
        if (!identity.IsStable || (_connection is not null && time.GetElapsedTime(_seen) < ProbeInterval))
            return;
        if (_connection is not null && !await IsHeldAsync(_connection, cancellationToken))
            await ReleaseAsync();
        if (_connection is null)
            await LockAsync(cancellationToken);
        _seen = time.GetTimestamp();
    }

    /// <summary>Gives the name back, for the next life.</summary>
    public async Task ReleaseAsync()
    {
        if (Interlocked.Exchange(ref _connection, null) is not { } connection)
            return;
        await using (connection)
        {
            try
            {
                // The connection goes back to its pool, and would keep the lock.
                await using var command = new NpgsqlCommand("SELECT pg_advisory_unlock_all()", connection) { CommandTimeout = 2 };
                await command.ExecuteNonQueryAsync();
            }
            catch (Exception e) when (IsLoss(e))
            {
                // It ends with the connection.
            }
        }
    }

    public async ValueTask DisposeAsync() => await ReleaseAsync();

    private async Task LockAsync(CancellationToken cancellationToken)
    {
        var connection = await sources.For(GenerationModule.Schema).OpenConnectionAsync(cancellationToken);
        try
        {
            // A machine that vanished says nothing: the server is to find out within half a minute instead of two hours.
            await using var command = new NpgsqlCommand(
                """
                SELECT pg_try_advisory_lock(hashtextextended('generation.worker/' || $1, 0)), set_config('tcp_keepalives_idle', '10', false),
                    set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false),
                    set_config('tcp_user_timeout', '25000', false)
                """,
                connection);
            command.Parameters.Add(new() { Value = identity.Id });
            if (await command.ExecuteScalarAsync(cancellationToken) is not true)
            {
                throw new OptionsValidationException(GenerationOptions.Section, typeof(GenerationOptions),
                [
                    $"Generation:WorkerId: another process has the name '{identity.Id}', or had it until its machine vanished, "
                    + "less than half a minute ago. Give each a name of its own, or none.",
                ]);
            }

            _connection = connection;
        }
        finally
        {
            if (_connection != connection)
                await connection.DisposeAsync();
        }
    }

    private static async Task<bool> IsHeldAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        try
        {
            await using var command = new NpgsqlCommand("SELECT 1", connection) { CommandTimeout = 5 };
            await command.ExecuteScalarAsync(cancellationToken);
            return true;
        }
        catch (Exception e) when (IsLoss(e))
        {
            return false;
        }
    }

    // A connection that is known to be broken refuses commands as one that was never opened.
    private static bool IsLoss(Exception exception) => exception is NpgsqlException or InvalidOperationException;
}
