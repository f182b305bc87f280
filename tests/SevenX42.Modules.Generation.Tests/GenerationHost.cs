using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Modules.Media;
using SevenX42.Persistence;
using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>The module alone in a process of its own kind: real database, real workers, a channel log that may be shared.</summary>
internal sealed class GenerationHost : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly IHost _host;
    private bool _stopped;

    private GenerationHost(IHost host, string connectionString) => (_host, ConnectionString) = (host, connectionString);

    public string ConnectionString { get; }

    public IServiceProvider Services => _host.Services;

    public IChannelLog Log => Services.GetRequiredService<IChannelLog>();

    public IGenerationApi Api => Services.GetRequiredService<IGenerationApi>();

    public ConcurrentQueue<GenerationFinished> Finished => Services.GetRequiredService<FinishedEvents>().Events;

    public static async Task<GenerationHost> StartAsync(
        string connectionString,
        IEnumerable<KeyValuePair<string, string?>>? settings = null,
        IChannelLog? log = null,
        Action<IServiceCollection>? services = null,
        string? pictures = null)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:Postgres"] = connectionString,
            ["Generation:Discovery"] = "false",
            ["Generation:DemoTokensPerSecond"] = "2000",
            ["Generation:PollInterval"] = "00:00:00.250",
        });
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Services.AddLogging();
        builder.Services.AddSingleton<FinishedEvents>();
        if (log is null)
            builder.Services.AddMemoryChannelLog();
        else
            builder.Services.AddSingleton(log);
        new GenerationModule().Add(builder.Services, builder.Configuration);
        if (pictures is not null)
        {
            builder.Configuration["Media:Directory"] = pictures;
            builder.Services.AddHttpBuildingBlocks();
            new MediaModule().Add(builder.Services, builder.Configuration);
        }

        builder.Services.AddIntegrationEventHandler<GenerationFinished, FinishedHandler>();
        services?.Invoke(builder.Services);
        var host = builder.Build();
        foreach (var database in host.Services.GetServices<IModuleDatabase>())
            await database.MigrateAsync(CancellationToken.None);
        await host.StartAsync();
        return new GenerationHost(host, connectionString);
    }

    /// <summary>Settings with one provider, <c>scripted</c>, and settings of it, or of the module when they begin with its name.</summary>
    public static IEnumerable<KeyValuePair<string, string?>> Settings(ScriptedProvider server, params (string Key, string Value)[] settings)
    {
        const string Provider = "Generation:Providers:0:";
        var all = new Dictionary<string, string?> { [Provider + "Name"] = "scripted", [Provider + "BaseUrl"] = server.BaseUrl.ToString() };
        foreach (var (key, value) in settings)
            all[key.StartsWith("Generation:", StringComparison.Ordinal) ? key : Provider + key] = value;
        return all;
    }

    public static AnswerRequested Request(
        string prompt = "Hello", string model = "demo/demo", Guid? userId = null, Guid? conversationId = null, string purpose = "answer",
        string prefix = "")
    {
        var conversation = conversationId ?? NewId();
        return new AnswerRequested(
            NewId(), NewId(), NewId(), conversation, userId ?? NewId(), purpose, purpose == "title" ? "" : $"conversation/{conversation}", "2",
            model, ["user"], [prompt], prefix);
    }

    public static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    /// <summary>Delivers the event, as the outbox of its producer would.</summary>
    public async Task<AnswerRequested> DeliverAsync(AnswerRequested request)
    {
        await using var scope = Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<AnswerRequestedHandler>().HandleAsync(request, TestContext.Current.CancellationToken);
        return request;
    }

    /// <summary>The same for pictures.</summary>
    public async Task<ImageRequested> DeliverAsync(ImageRequested request)
    {
        await using var scope = Services.CreateAsyncScope();
        await scope.ServiceProvider.GetRequiredService<ImageRequestedHandler>().HandleAsync(request, TestContext.Current.CancellationToken);
        return request;
    }

    public Task<GenerationFinished> FinishAsync(AnswerRequested request) => FinishAsync(request.GenerationId);

    public Task<GenerationFinished> FinishAsync(Guid id) => EventuallyAsync(
        () => Task.FromResult(Finished.FirstOrDefault(f => f.GenerationId == id)), "the generation finishes");

    public async Task<GenerationJob?> FindJobAsync(Guid id)
    {
        await using var scope = Services.CreateAsyncScope();
        return await scope.ServiceProvider.GetRequiredService<GenerationDbContext>().Jobs.AsNoTracking()
            .SingleOrDefaultAsync(j => j.Id == id, TestContext.Current.CancellationToken);
    }

    public Task<GenerationJob> UntilJobAsync(Guid id, Func<GenerationJob, bool> holds, string what) => EventuallyAsync(
        async () => await FindJobAsync(id) is { } job && holds(job) ? job : null, what);

    /// <summary>What a reader of the channel has after everything that is in it.</summary>
    public Task<ReadAnswer> ReadAsync(AnswerRequested request) => ReadAnswer.ReadAsync(Log, request);

    public Task<ReadAnswer> UntilReadAsync(AnswerRequested request, Func<ReadAnswer, bool> holds, string what) => EventuallyAsync(
        async () => await ReadAsync(request) is { } answer && holds(answer) ? answer : null, what);

    public static async Task<T> EventuallyAsync<T>(Func<Task<T?>> find, string what)
        where T : class
    {
        var started = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(started) < Patience)
        {
            if (await find() is { } found)
                return found;
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
        }

        throw new TimeoutException($"Waited in vain until {what}.");
    }

    /// <summary>Stops gracefully, as on Ctrl-C.</summary>
    public async Task StopAsync()
    {
        _stopped = true;
        await _host.StopAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_stopped)
            await StopAsync();
        if (_host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
    }

    internal sealed class FinishedEvents
    {
        public ConcurrentQueue<GenerationFinished> Events { get; } = new();
    }

    internal sealed class FinishedHandler(FinishedEvents finished) : IIntegrationEventHandler<GenerationFinished>
    {
        public Task HandleAsync(GenerationFinished integrationEvent, CancellationToken cancellationToken)
        {
            finished.Events.Enqueue(integrationEvent);
            return Task.CompletedTask;
        }
    }
}
