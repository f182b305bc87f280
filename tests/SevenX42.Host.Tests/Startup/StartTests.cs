using Npgsql;
using SevenX42.Host.Startup;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Startup;

/// <summary>What the application says when it starts, and when it can't.</summary>
public sealed class StartTests(PostgresServer postgres) : ProcessTest(postgres)
{
    [Fact]
    public async Task A_taken_port_is_named_and_ends_the_process()
    {
        var connection = await Postgres.CreateEmptyDatabaseAsync();
        await using var first = await HostProcess.StartAsync(On(connection));

        await using var second = HostProcess.Launch(On(connection, ("Urls", Address(first))));

        Assert.Equal(1, await second.ExitAsync());
        var sentence = Assert.Single(second.Errors);
        Assert.Contains(Address(first), sentence, StringComparison.Ordinal);
        Assert.Contains("choose another port", sentence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=a;Password=b;Database=c", "PostgreSQL does not answer. Check ConnectionStrings__Postgres: host and port.")]
    [InlineData("wrong password", "PostgreSQL refuses the user or password of ConnectionStrings__Postgres.")]
    [InlineData("wrong password in production", "PostgreSQL refuses the user or password of ConnectionStrings__Postgres.")]
    [InlineData("no database", "The database of ConnectionStrings__Postgres does not exist. Create it first.")]
    [InlineData("no database in production", "The database of ConnectionStrings__Postgres does not exist. Create it first.")]
    [InlineData("postgres://a:b@127.0.0.1/c", "The configuration is not valid: ConnectionStrings:Postgres is no connection string; write it as Host=db;Database=app;Username=app;Password=secret.")]
    public async Task A_wrong_connection_string_is_answered_with_what_to_change(string connection, string sentence)
    {
        var given = connection switch
        {
            ['w', ..] => new NpgsqlConnectionStringBuilder(Postgres.ConnectionString) { Password = "wrong" }.ConnectionString,
            ['n', ..] => new NpgsqlConnectionStringBuilder(Postgres.ConnectionString) { Database = "nowhere" }.ConnectionString,
            _ => connection,
        };
        (string, string)[] settings = connection.EndsWith("in production", StringComparison.Ordinal)
            ? [("ASPNETCORE_ENVIRONMENT", "Production"), ("Identity:KeyEncryptionSecret", "of-this-test-and-of-nothing-else-4be1a6")]
            : [];

        await using var host = HostProcess.Launch(On(given, settings));

        Assert.Equal(1, await host.ExitAsync());
        Assert.Equal([sentence], host.Errors);
    }

    [Fact]
    public async Task An_images_library_that_can_t_be_loaded_is_answered_with_what_it_misses()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere a library is not looked for by such a path.");
        var libraries = Data.CreateSubdirectory("libraries");
        await File.WriteAllTextAsync(Path.Combine(libraries.FullName, "libresolv.so.2"), "no library", Cancel);

        await using var host = HostProcess.Launch(On(await Postgres.CreateDatabaseAsync(), ("LD_LIBRARY_PATH", libraries.FullName)));

        Assert.Equal(1, await host.ExitAsync());
        var sentence = Assert.Single(host.Errors);
        Assert.StartsWith("The configuration is not valid: The library that reads and writes pictures, libvips, can't be loaded;", sentence, StringComparison.Ordinal);
        Assert.Contains("libresolv.so.2", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_redis_that_refuses_is_answered_with_what_to_change()
    {
        await using var redis = await RedisProcess.StartAsync("--requirepass", "secret");
        var connection = await Postgres.CreateDatabaseAsync();

        await using var host = HostProcess.Launch(On(connection, ("ConnectionStrings:Redis", $"{redis.Address},password=wrong")));

        Assert.Equal(1, await host.ExitAsync());
        Assert.Equal(["Redis refuses the user or password of ConnectionStrings__Redis."], host.Errors);
    }

    [Fact]
    public async Task A_redis_that_wants_a_password_over_tls_of_an_authority_that_is_named_is_used()
    {
        await using var redis = await RedisProcess.StartWithTlsAsync("--requirepass", "secret");
        var connection = await Postgres.CreateDatabaseAsync();

        await using var host = await HostProcess.StartAsync(On(
            connection, ("ConnectionStrings:Redis", $"{redis.Address},password=secret,ssl=true"), ("SSL_CERT_FILE", redis.CertificateFile)));

        Assert.Equal((0, "Healthy"), await AskAsync(host));
    }

    [Theory]
    [InlineData("Role", "foo", "Role must be All, Web or Worker.")]
    [InlineData("Role", "7", "Role must be All, Web or Worker.")]
    [InlineData("Role", "Worker", "Role Worker needs ConnectionStrings:Postgres and ConnectionStrings:Redis: Web and Worker are processes of their own, which need a database and a channel log that they share.")]
    [InlineData("ConnectionStrings:Redis", "redis://u:canary@127.0.0.1/0", "ConnectionStrings:Redis is no connection string; write it as redis:6379,password=secret,ssl=true.")]
    [InlineData("ConnectionStrings:Redis", "127.0.0.1:6379,passwort=canary", "ConnectionStrings:Redis is no connection string; write it as redis:6379,password=secret,ssl=true.")]
    [InlineData("Urls", "localhost", "Urls: 'localhost' is no address to listen on; write http://localhost:5042.")]
    [InlineData("Urls", "http://127.0.0.1:99999", "Urls: 'http://127.0.0.1:99999' is no address to listen on; write http://localhost:5042.")]
    [InlineData("Management:Url", "127.0.0.1:5043", "Management:Url: '127.0.0.1:5043' is no address to listen on; write http://127.0.0.1:5043, or nothing for none.")]
    [InlineData("ForwardedHeaders:KnownNetworks:0", "proxy.local", "ForwardedHeaders:KnownNetworks: 'proxy.local' is no network; write it as 10.0.0.0/8.")]
    [InlineData("Cors:AllowedOrigins:0", "*", "Cors:AllowedOrigins: '*' is no origin; write scheme://host[:port].")]
    [InlineData("Generation:DiscoveryTargets:0", "ollama=localhost", "Generation:DiscoveryTargets:0: BaseUrl must be")]
    [InlineData("Generation:MaxConcurrent", "many", "'many' at 'Generation:MaxConcurrent'")]
    [InlineData("Generation:Lease", "soon", "'soon' at 'Generation:Lease'")]
    [InlineData("Realtime:DrainPeriod", "00:01:00", "Realtime:DrainPeriod must be at most 00:00:15: the process has little more for its end.")]
    [InlineData("Generation:Demo", "false", "Generation: there is no model. Name a server in Generation:Providers:0, or set Generation:Demo or Generation:Discovery to true.")]
    [InlineData("Database:AutoMigrate", "perhaps", "'perhaps' at 'Database:AutoMigrate'")]
    public async Task A_setting_that_means_nothing_is_named_in_one_sentence(string key, string value, string sentence)
    {
        var connection = await Postgres.CreateDatabaseAsync();

        // In this process: so many starts of another one take a minute, and that it ends with such a sentence is shown by others here.
        var fault = await Assert.ThrowsAnyAsync<Exception>(() => AppHost.StartAsync(connection, [KeyValuePair.Create<string, string?>(key, value)]));

        Assert.Contains(sentence, StartupFailure.Describe(fault), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_module_s_own_role_without_the_database_of_all_is_refused()
    {
        await using var host = HostProcess.Launch(new Dictionary<string, string?>
        {
            ["DataDirectory"] = Data.FullName,
            ["ConnectionStrings:Postgres_chat"] = await Postgres.CreateEmptyDatabaseAsync(),
        });

        Assert.Equal(1, await host.ExitAsync());
        Assert.Equal(["The configuration is not valid: ConnectionStrings:Postgres_chat needs ConnectionStrings:Postgres beside it, for the modules that have no role of their own."], host.Errors);
        Assert.Empty(Data.EnumerateFileSystemInfos());
    }

    [Fact]
    public async Task In_production_a_missing_secret_is_answered_with_what_to_set()
    {
        var connection = await Postgres.CreateEmptyDatabaseAsync();

        await using var host = HostProcess.Launch(On(connection, ("ASPNETCORE_ENVIRONMENT", "Production")));

        Assert.Equal(1, await host.ExitAsync());
        Assert.Contains("KeyEncryptionSecret", Assert.Single(host.Errors), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_start_says_of_every_model_server_what_it_has_or_what_is_wrong_with_it()
    {
        await using var good = await ScriptedProvider.StartAsync();
        await using var refusing = await ScriptedProvider.StartAsync();
        refusing.ModelsScript = Script.Error(401, "Incorrect API key provided: sk-canary-4711");
        await using var page = await ScriptedProvider.StartAsync();
        page.ModelsScript = Script.Respond(200, "<html>Welcome</html>", "text/html");
        var connection = await Postgres.CreateEmptyDatabaseAsync();

        await using var host = await HostProcess.StartAsync(On(
            connection,
            ("Generation:Providers:0:Name", "good"),
            ("Generation:Providers:0:BaseUrl", good.BaseUrl.ToString()),
            ("Generation:Providers:1:Name", "refusing"),
            ("Generation:Providers:1:BaseUrl", refusing.BaseUrl.ToString()),
            ("Generation:Providers:1:ApiKey", "sk-canary-4711"),
            ("Generation:Providers:2:Name", "page"),
            ("Generation:Providers:2:BaseUrl", page.BaseUrl.ToString()),
            ("Generation:Providers:3:Name", "nobody"),
            ("Generation:Providers:3:BaseUrl", "http://127.0.0.1:1/v1")));

        await Eventually.TrueAsync(() => host.Output.Any(l => l.Contains("demo model: built in", StringComparison.Ordinal)));
        Assert.Contains("  good: scripted", host.Output);
        Assert.Contains("  refusing: not available. refusing does not accept the configured key. Check its ApiKey.", host.Output);
        Assert.Contains(host.Output, l => l.StartsWith("  page: not available. page answered with a web page", StringComparison.Ordinal));
        Assert.Contains(host.Output, l => l.StartsWith("  nobody: not available. nobody can't be reached.", StringComparison.Ordinal));
        Assert.DoesNotContain(host.Output, l => l.Contains("sk-canary", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://+:8081", "http://localhost:8081/")]
    [InlineData("http://0.0.0.0:8081", "http://localhost:8081/")]
    [InlineData("http://[::]:8081", "http://localhost:8081/")]
    [InlineData("https://health.test:8443", "https://health.test:8443/")]
    public void The_health_command_asks_an_address_that_can_be_asked(string listened, string asked) =>
        Assert.Equal(new Uri(asked), HealthCommand.Reachable(listened));
}
