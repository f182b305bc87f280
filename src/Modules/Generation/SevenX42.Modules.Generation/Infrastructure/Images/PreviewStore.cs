using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure.Images;

/// <summary>
/// The newest preview of each running job, where every replica finds it: an unlogged table, one row a job, for what is worth nothing in a
/// minute.
/// </summary>
internal sealed partial class PreviewStore(PostgresDataSources sources, ILogger<PreviewStore> logger)
{
    /// <summary>A larger one is not shown: the picture itself will be.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private readonly NpgsqlDataSource _database = sources.For(GenerationModule.Schema);

    /// <summary>Puts a preview in the place of the one before. Nobody misses it when that can't be done.</summary>
    /// <returns>Whether it is there.</returns>
    public async Task<bool> SaveAsync(
        Guid jobId, int attempt, string version, string mediaType, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (bytes.Length > MaxBytes)
            return false;
        try
        {
            await using var command = _database.CreateCommand("""
                INSERT INTO generation.previews AS p (job_id, attempt, version, media_type, bytes)
                SELECT id, $2, $3, $4, $5 FROM generation.jobs WHERE id = $1 AND attempt = $2 AND status = 'running'
                ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, version = excluded.version,
                    media_type = excluded.media_type, bytes = excluded.bytes
                WHERE p.attempt <= excluded.attempt
                """);
            command.Parameters.Add(new() { Value = jobId });
            command.Parameters.Add(new() { Value = attempt });
            command.Parameters.Add(new() { Value = version });
            command.Parameters.Add(new() { Value = mediaType });
            command.Parameters.Add(new() { Value = bytes });
            return await command.ExecuteNonQueryAsync(cancellationToken) == 1;
        }
        catch (Exception e) when (e is NpgsqlException or IOException or TimeoutException)
        {
            LogFailed(logger, e, jobId);
            return false;
        }
    }

    /// <summary>The newest preview of a user's job; <see langword="null"/> when there is none.</summary>
    public async Task<Preview?> FindAsync(Guid userId, Guid jobId, CancellationToken cancellationToken)
    {
        await using var command = _database.CreateCommand("""
            SELECT p.attempt, p.version, p.media_type, p.bytes FROM generation.previews p JOIN generation.jobs j ON j.id = p.job_id
            WHERE p.job_id = $1 AND j.user_id = $2
            """);
        command.Parameters.Add(new() { Value = jobId });
        command.Parameters.Add(new() { Value = userId });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new Preview
            {
                JobId = jobId,
                Attempt = reader.GetInt32(0),
                Version = reader.GetString(1),
                MediaType = reader.GetString(2),
                Bytes = reader.GetFieldValue<byte[]>(3),
            }
            : null;
    }

    [LoggerMessage(1, LogLevel.Debug, "A preview of generation {GenerationId} is left out")]
    private static partial void LogFailed(ILogger logger, Exception exception, Guid generationId);
}
