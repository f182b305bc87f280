using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>
/// The whole deployment on one machine: processes that serve, processes that generate, their PostgreSQL, their Redis, a model
/// server, and a proxy that sends each connection to any process that is ready.
/// </summary>
internal sealed class World : IAsyncDisposable
{
    /// <summary>How long a worker may be silent until another takes over.</summary>
    public static readonly TimeSpan Lease = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan ProbeInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ProbeLimit = TimeSpan.FromSeconds(2);

    private readonly CancellationTokenSource _stop = new();
    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("7x42-faults-data-");
    private readonly List<Replica> _replicas = [];
    private readonly List<Replica> _removed = [];
    private Dictionary<string, string?> _settings = null!;
    private Task _probing = Task.CompletedTask;
    private AppHost? _ahead;
    private int _replicasMade;

    private World()
    {
    }

    public ScriptedProvider Provider { get; private set; } = null!;

    public Database Database { get; private set; } = null!;

    public RedisProcess Redis { get; private set; } = null!;

    /// <summary>Before everything that serves.</summary>
    public TcpProxy Proxy { get; private set; } = null!;

    /// <summary>Where people find the application.</summary>
    public Uri Front => new($"http://{Proxy.Address}");

    public IReadOnlyList<Replica> Webs => Of("Web");

    public IReadOnlyList<Replica> Workers => Of("Worker");

    public IReadOnlyList<Replica> Replicas
    {
        get
        {
            lock (_replicas)
                return [.. _replicas];
        }
    }

    public static async Task<World> StartAsync(int webs, int workers, params (string Key, string Value)[] settings)
    {
        var world = new World
        {
            Provider = await ScriptedProvider.StartAsync(),
            Database = await Database.StartAsync(),
            Redis = await RedisProcess.StartAsync(),
        };
        world.Proxy = TcpProxy.Start(world.Choose);
        world._settings = world.Configure(settings);
        await using (var migrate = HostProcess.Launch(world._settings, "migrate"))
            Assert.Equal(0, await migrate.ExitAsync());
        world._probing = world.ProbeAsync();
        await Task.WhenAll(
            [.. Enumerable.Range(0, webs).Select(_ => world.AddAsync("Web")), .. Enumerable.Range(0, workers).Select(_ => world.AddAsync("Worker"))]);
        return world;
    }

    /// <summary>Starts one process more.</summary>
    public async Task<Replica> AddAsync(string role)
    {
        var number = Interlocked.Increment(ref _replicasMade);
        var replica = new Replica(_settings, role, string.Create(CultureInfo.InvariantCulture, $"{role.ToLowerInvariant()}-{number}"));
        lock (_replicas)
            _replicas.Add(replica);
        await replica.StartAsync();
        return replica;
    }

    /// <summary>Starts a worker, in this process, whose clock is ten minutes ahead of everybody else's.</summary>
    public async Task StartWorkerAheadAsync() => _ahead = await AppHost.StartAsync(
        Database.ConnectionString,
        new Dictionary<string, string?>(_settings) { ["Urls"] = "http://127.0.0.1:0", ["Role"] = "Worker" },
        services => services.AddSingleton<TimeProvider>(new ClockAhead(TimeSpan.FromMinutes(10))));

    /// <summary>Ends that worker.</summary>
    public async Task StopWorkerAheadAsync()
    {
        if (_ahead is not null)
            await _ahead.DisposeAsync();
        _ahead = null;
    }

    /// <summary>Ends a process as an orchestrator does that has begun another in its place.</summary>
    /// <returns>How long its end took.</returns>
    public async Task<TimeSpan> RemoveAsync(Replica replica)
    {
        var took = await replica.TerminateAsync();
        lock (_replicas)
        {
            _replicas.Remove(replica);
            _removed.Add(replica);
        }

        await replica.DisposeAsync();
        return took;
    }

    /// <summary>What was written, by any process that is or was, from each line on that something holds for.</summary>
    public IEnumerable<string> Said(Func<string, bool> holds, int lines)
    {
        IReadOnlyList<Replica> all;
        lock (_replicas)
            all = [.. _replicas, .. _removed];
        foreach (var replica in all)
        {
            var left = 0;
            foreach (var line in replica.Said)
            {
                left = holds(line) ? lines : left - 1;
                if (left > 0)
                    yield return $"{replica.Name}: {line}";
            }
        }
    }

    /// <summary>What a process says of itself, by a metric's name; 0 for what it has never counted.</summary>
    public static async Task<double> MetricAsync(Replica replica, string name)
    {
        using var http = new HttpClient();
        var lines = (await http.GetStringAsync(new Uri(replica.Process.Management, "/metrics"))).Split('\n');
        return lines.Where(l => l.StartsWith(name, StringComparison.Ordinal) && l[name.Length] is '{' or ' ')
            .Sum(l => double.Parse(l[(l.LastIndexOf('}') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture));
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _probing;
        await StopWorkerAheadAsync();
        await Task.WhenAll(Replicas.Select(r => r.DisposeAsync().AsTask()));
        await Proxy.DisposeAsync();
        await Redis.DisposeAsync();
        await Database.DisposeAsync();
        await Provider.DisposeAsync();
        _data.Delete(recursive: true);
        _stop.Dispose();
    }

    private Dictionary<string, string?> Configure((string Key, string Value)[] settings)
    {
        var all = new Dictionary<string, string?>
        {
            ["ConnectionStrings:Postgres"] = Database.ConnectionString,
            ["ConnectionStrings:Redis"] = Redis.Address,
            ["DataDirectory"] = _data.FullName,
            ["Database:AutoMigrate"] = "false",
            ["Identity:KeyEncryptionSecret"] = "of-these-tests-and-of-nothing-else-8c1d5b",
            ["Identity:Guests"] = "true",
            ["Identity:RateLimits:GuestsPerHour"] = "1000000",
            ["RateLimits:CommandsPerMinute"] = "1000000",
            ["RateLimits:QueriesPerMinute"] = "1000000",
            ["Realtime:AllowedOrigins:0"] = Front.GetLeftPart(UriPartial.Authority),
            ["Realtime:PollsPerSecond"] = "1000",
            ["Realtime:BeatInterval"] = "00:00:02",
            ["Realtime:ClientTimeout"] = "00:00:06",
            ["Realtime:FeedLinger"] = "00:00:02",
            ["Generation:Demo"] = "false",
            ["Generation:Lease"] = Lease.ToString(),
            ["Generation:Heartbeat"] = "00:00:01.5",
            ["Generation:Providers:0:Name"] = "test",
            ["Generation:Providers:0:BaseUrl"] = Provider.BaseUrl.ToString(),
            ["Generation:Providers:0:MaxConcurrent"] = "1000",
            // What hangs is to kill its workers, however slow their next start is.
            ["Generation:Providers:1:Name"] = "poison",
            ["Generation:Providers:1:BaseUrl"] = Provider.BaseUrl.ToString(),
            ["Generation:Providers:1:IdleTimeout"] = "00:09:00",
            ["Generation:Providers:0:ContinuesAssistantMessage"] = "true",
            ["Logging:LogLevel:Default"] = "Warning",
        };
        foreach (var (key, value) in settings)
            all[key] = value;
        return all;
    }

    private sealed class ClockAhead(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }

    private IReadOnlyList<Replica> Of(string role) => [.. Replicas.Where(r => r.Role == role)];

    private IPEndPoint? Choose()
    {
        var ready = Webs.Where(r => r.IsReady).ToList();
        return ready.Count == 0 ? null : new IPEndPoint(IPAddress.Loopback, ready[Random.Shared.Next(ready.Count)].Process.Address.Port);
    }

    // As proxies and orchestrators do.
    private async Task ProbeAsync()
    {
        using var http = new HttpClient { Timeout = ProbeLimit };
        while (!_stop.IsCancellationRequested)
        {
            await Task.WhenAll(Webs.Where(r => r.IsReady || r.HasStarted).Select(async replica =>
            {
                try
                {
                    using var answer = await http.GetAsync(new Uri(replica.Process.Management, "/health/ready"), _stop.Token);
                    replica.IsReady = answer.IsSuccessStatusCode;
                }
                catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
                {
                    replica.IsReady = false;
                }
            }));
            await Task.Delay(ProbeInterval, TimeProvider.System, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
