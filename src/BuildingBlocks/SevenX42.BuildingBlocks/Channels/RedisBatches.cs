using StackExchange.Redis;

namespace SevenX42.Realtime;

/// <summary>
/// Runs one script for many callers: what comes while a call is under way goes together in the next one. So a lone operation
/// waits for nothing, and a busy process needs a fraction of a command for each. In a cluster, where a script stays within a
/// slot, each goes alone. What must get through <c>waits</c> for a connection that is lost.
/// </summary>
internal sealed class RedisBatches(RedisConnections connections, string script, RedisValue[] shared, bool waits)
{
    // A batch holds up everybody else in Redis for about as many times ten microseconds.
    private const int MostOperations = 64;
    private const int MostBytes = 256 * 1024;

    private readonly Lock _gate = new();
    private readonly Queue<Operation> _waiting = new();
    private bool _sending;

    /// <summary>Runs the script for one channel.</summary>
    /// <param name="keys">Its keys.</param>
    /// <param name="values">Its arguments, behind those that all share.</param>
    /// <param name="bytes">About how long they are.</param>
    /// <returns>The channel's part of the answer.</returns>
    public Task<RedisResult[]> RunAsync(RedisKey[] keys, RedisValue[] values, long bytes)
    {
        var operation = new Operation(keys, values, bytes);
        lock (_gate)
        {
            _waiting.Enqueue(operation);
            if (_sending)
                return operation.Completion.Task;
            _sending = true;
        }

        _ = SendAsync();
        return operation.Completion.Task;
    }

    /// <summary>Runs the script for one channel, alone.</summary>
    public async Task<RedisResult[]> RunAloneAsync(RedisKey[] keys, RedisValue[] values)
    {
        var operation = new Operation(keys, values, 0);
        await SendAsync((await ConnectAsync()).GetDatabase(), [operation]);
        return await operation.Completion.Task;
    }

    private async Task SendAsync()
    {
        var batch = new List<Operation>();
        while (TryTake(batch))
        {
            try
            {
                var connection = await ConnectAsync();
                var database = connection.GetDatabase();
                if (connection.HashSlot(batch[0].Keys[0]) < 0)
                    await SendAsync(database, batch);
                else
                    await Task.WhenAll(batch.Select(operation => SendAsync(database, [operation])));
            }
            catch (Exception e)
            {
                Fail(batch, e);
            }
        }
    }

    private async ValueTask<ConnectionMultiplexer> ConnectAsync()
    {
        var connection = await connections.GetCommandsAsync();
        return waits || connections.IsPatient || connection.IsConnected
            ? connection
            : throw new RedisException("The connection to Redis is lost.");
    }

    private bool TryTake(List<Operation> batch)
    {
        batch.Clear();
        lock (_gate)
        {
            for (var bytes = 0L; batch.Count < MostOperations && _waiting.TryPeek(out var next); batch.Add(_waiting.Dequeue()))
            {
                bytes += next.Bytes;
                if (batch.Count > 0 && bytes > MostBytes)
                    break;
            }

            _sending = batch.Count > 0;
            return _sending;
        }
    }

    private async Task SendAsync(IDatabase database, List<Operation> batch)
    {
        try
        {
            var keys = new List<RedisKey>(batch.Count * 2);
            var values = new List<RedisValue>(shared);
            foreach (var operation in batch)
            {
                keys.AddRange(operation.Keys);
                values.AddRange(operation.Values);
            }

            var answer = (RedisResult[])(await database.ScriptEvaluateAsync(script, [.. keys], [.. values], CommandFlags.DemandMaster))!;
            for (var i = 0; i < batch.Count; i++)
            {
                var part = (RedisResult[])answer[i]!;
                if (part.Length == 1)
                    batch[i].Completion.TrySetException(new RedisException((string)part[0]!));
                else
                    batch[i].Completion.TrySetResult(part);
            }
        }
        catch (Exception e)
        {
            Fail(batch, e);
        }
    }

    private void Fail(List<Operation> batch, Exception exception)
    {
        foreach (var operation in batch)
            operation.Completion.TrySetException(exception);
        if (exception is RedisServerException)
            return;

        // Redis is away: those who wait behind would only wait as long again, one batch after the other.
        Operation[] others;
        lock (_gate)
        {
            others = [.. _waiting];
            _waiting.Clear();
        }

        foreach (var operation in others)
            operation.Completion.TrySetException(exception);
    }

    private sealed class Operation(RedisKey[] keys, RedisValue[] values, long bytes)
    {
        public RedisKey[] Keys => keys;

        public RedisValue[] Values => values;

        public long Bytes => bytes;

        public TaskCompletionSource<RedisResult[]> Completion { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
