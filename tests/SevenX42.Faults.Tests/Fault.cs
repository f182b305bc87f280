using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>Something that fails, by real means, and is put right again.</summary>
/// <param name="Name">What it is.</param>
/// <param name="HappenAsync">Lets it happen, and returns when it is over.</param>
internal sealed record Fault(string Name, Func<World, Random, CancellationToken, Task> HappenAsync)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>All that need nobody's help.</summary>
    public static IReadOnlyList<Fault> All { get; } =
    [
        new("a worker is killed", async (world, random, cancel) => await KillAsync(world.Workers[^1], random, cancel)),
        new("a web replica is killed", async (world, random, cancel) => await KillAsync(world.Webs[^1], random, cancel)),
        new("a worker stands still beyond its lease", async (world, random, cancel) =>
        {
            var worker = world.Workers[random.Next(world.Workers.Count)];
            worker.Process.HoldUp();
            await WaitAsync(World.Lease + TimeSpan.FromSeconds(3), cancel);
            worker.Process.GoOn();
        }),
        new("Redis is emptied", async (world, _, _) => await world.Redis.CommandAsync("FLUSHALL")),
        new("Redis is killed", (world, random, cancel) => RedisAwayAsync(world, TimeSpan.FromSeconds(random.Next(3, 8)), cancel)),
        new("Redis answers nothing", async (world, random, cancel) =>
        {
            await world.Redis.HoldUpAsync();
            await WaitAsync(TimeSpan.FromSeconds(random.Next(2, 6)), cancel);
            await world.Redis.GoOnAsync();
        }),
        new("hints are lost", async (world, random, cancel) =>
        {
            for (var i = 0; i < 5; i++)
            {
                await world.Redis.CommandAsync("CLIENT", "KILL", "TYPE", "pubsub");
                await WaitAsync(TimeSpan.FromMilliseconds(random.Next(50, 800)), cancel);
            }
        }),
        new("PostgreSQL crashes", async (world, _, _) => await world.Database.CrashAsync()),
        new("connections to PostgreSQL are cut", async (world, random, cancel) =>
        {
            for (var i = 0; i < 20; i++)
            {
                world.Database.Cut(() => random.NextDouble() < 0.5);
                await WaitAsync(TimeSpan.FromMilliseconds(random.Next(20, 300)), cancel);
            }
        }),
        new("PostgreSQL has no connection left", async (world, random, cancel) =>
            await world.Database.LockUpAsync(TimeSpan.FromSeconds(random.Next(3, 6)), cancel)),
        new("PostgreSQL takes no writes", async (world, random, cancel) =>
            await world.Database.RefuseWritesAsync(TimeSpan.FromSeconds(random.Next(3, 8)), cancel)),
        new("people stop reading", async (world, random, cancel) =>
        {
            var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            world.Proxy.HoldUp(() => random.NextDouble() < 0.5, goOn.Task);
            await WaitAsync(TimeSpan.FromSeconds(random.Next(1, 10)), cancel);
            goOn.SetResult();
        }),
        new("people's connections go half open", async (world, random, _) => world.Proxy.Deaden(() => random.NextDouble() < 0.4)),
        new("people's connections are cut", async (world, random, _) => world.Proxy.Cut(() => random.NextDouble() < 0.7)),
        new("a web replica is replaced", async (world, _, _) =>
        {
            var old = world.Webs[^1];
            await world.AddAsync("Web");
            await world.RemoveAsync(old);
        }),
        new("a worker is replaced", async (world, _, _) =>
        {
            var old = world.Workers[^1];
            await world.AddAsync("Worker");
            await world.RemoveAsync(old);
        }),
    ];

    /// <summary>As long as nobody would call a hiccup.</summary>
    public static Fault RedisAwayForLong { get; } =
        new("Redis is away for a minute", (world, _, cancel) => RedisAwayAsync(world, TimeSpan.FromMinutes(1), cancel));

    /// <summary>Somebody asks what kills whoever works on it.</summary>
    /// <param name="history">What happens.</param>
    /// <param name="people">Where whoever asks it is added.</param>
    public static Fault Poison(History history, ICollection<Participant> people) => new("a job kills its workers", async (world, random, cancel) =>
    {
        // It lives in this process, and can't be killed.
        await world.StopWorkerAheadAsync();
        var person = new Participant(world, history, random.Next());
        people.Add(person);
        var chat = person.ChatAsync(cancel, poisonous: true);
        for (var death = 0; death < Checker.MostCrashes; death++)
        {
            Replica? victim = null;
            await Eventually.TrueAsync(
                async () => chat.IsCompleted || (victim = await WorkerOfPoisonAsync(world, history, death)) is not null, Limit);
            if (victim is null)
                break;
            await victim.KillAsync();
            await victim.StartAsync();
        }

        await chat;
        await world.StartWorkerAheadAsync();
    });

    private static async Task RedisAwayAsync(World world, TimeSpan duration, CancellationToken cancellationToken)
    {
        await world.Redis.KillAsync();
        await WaitAsync(duration, cancellationToken);
        await world.Redis.StartAgainAsync();
    }

    private static async Task KillAsync(Replica replica, Random random, CancellationToken cancellationToken)
    {
        await replica.KillAsync();
        await WaitAsync(TimeSpan.FromMilliseconds(random.Next(0, 4_000)), cancellationToken);
        await replica.StartAsync();
    }

    private static async Task<Replica?> WorkerOfPoisonAsync(World world, History history, int deaths)
    {
        var poison = history.Messages.Where(m => m.IsPoison).Select(m => m.Id).ToArray();
        await using var connection = await world.Database.OpenAsync();
        await using var command = new NpgsqlCommand(
            """
            SELECT j.worker_id FROM generation.jobs j JOIN chat.messages a ON a.id = j.answer_id
            WHERE a.parent_id = ANY($1) AND j.status = 'running' AND j.attempt = $2
            """,
            connection)
        {
            Parameters = { new() { Value = poison }, new() { Value = deaths + 1 } },
        };
        var id = (string?)await command.ExecuteScalarAsync();
        return world.Workers.SingleOrDefault(w => w.WorkerId == id);
    }

    // What was broken is put right, even when nobody waits for it any more.
    private static async Task WaitAsync(TimeSpan duration, CancellationToken cancellationToken) =>
        await Task.Delay(duration, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
