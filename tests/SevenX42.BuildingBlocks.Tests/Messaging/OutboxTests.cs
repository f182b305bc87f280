using System.Collections.Concurrent;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Persistence;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Messaging;

/// <summary>What is delivered of what is raised, on a real database: everything that is committed, and nothing else.</summary>
public sealed class OutboxTests(PostgresServer postgres)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_committed_is_delivered()
    {
        await using var app = await StartAsync(services => services.AddIntegrationEventHandler<Happened, First>());
        await app.CommitAsync("by itself");
        await app.InTransactionAsync(async (context, transaction) =>
        {
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "in a transaction"));
            await context.SaveChangesAsync(Cancel);
            await transaction.CommitAsync(Cancel);
        });
        await app.UntilHandledAsync("First: in a transaction");
        Assert.Equal(["First: by itself", "First: in a transaction"], app.Handled.Order());
    }

    [Fact]
    public async Task What_could_not_be_committed_is_not_delivered_with_what_is_committed_next()
    {
        await using var app = await StartAsync(services => services.AddIntegrationEventHandler<Happened, First>());
        var pooled = await app.InTransactionAsync(async (context, transaction) =>
        {
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "lost"));

            // Checked by the commit, which fails.
            context.Add(new Child { Id = 1, ParentId = 2 });
            await context.SaveChangesAsync(Cancel);
            await Assert.ThrowsAsync<PostgresException>(() => transaction.CommitAsync(Cancel));
        });
        await app.InTransactionAsync(
            async (context, transaction) =>
            {
                context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "kept"));
                await context.SaveChangesAsync(Cancel);
                await transaction.CommitAsync(Cancel);
            },
            pooled);
        await app.UntilHandledAsync("First: kept");
        await app.UntilDeliveredAsync();
        Assert.Equal(["First: kept"], app.Handled);
    }

    [Fact]
    public async Task What_was_left_without_a_commit_is_not_delivered_with_what_is_committed_next()
    {
        await using var app = await StartAsync(services => services.AddIntegrationEventHandler<Happened, First>());
        var pooled = await app.InTransactionAsync(async (context, _) =>
        {
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "left"));
            await context.SaveChangesAsync(Cancel);
        });
        await app.InTransactionAsync(
            async (context, transaction) =>
            {
                context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "kept"));
                await context.SaveChangesAsync(Cancel);
                await transaction.CommitAsync(Cancel);
            },
            pooled);
        await app.UntilHandledAsync("First: kept");
        await app.UntilDeliveredAsync();
        Assert.Equal(["First: kept"], app.Handled);
    }

    [Fact]
    public async Task What_was_taken_back_to_a_savepoint_is_not_delivered()
    {
        await using var app = await StartAsync(services => services.AddIntegrationEventHandler<Happened, First>());
        await app.InTransactionAsync(async (context, transaction) =>
        {
            await transaction.CreateSavepointAsync("before", Cancel);
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "taken back"));
            await context.SaveChangesAsync(Cancel);
            await transaction.RollbackToSavepointAsync("before", Cancel);
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), "kept"));
            await context.SaveChangesAsync(Cancel);
            await transaction.CommitAsync(Cancel);
        });
        await app.UntilHandledAsync("First: kept");
        await app.UntilDeliveredAsync();
        Assert.Equal(["First: kept"], app.Handled);
    }

    [Fact]
    public async Task A_handler_that_fails_keeps_the_event_from_no_other_and_gets_it_again()
    {
        await using var app = await StartAsync(services => services
            .AddIntegrationEventHandler<Happened, Failing>()
            .AddIntegrationEventHandler<Happened, First>());
        await app.CommitAsync("something");
        await app.UntilHandledAsync("First: something");
        await app.UntilAsync("SELECT count(*) FROM messaging.outbox WHERE last_error = 'Failing: System.InvalidTimeZoneException'", 1);

        // What the poller would do when the time has come.
        app.Failures = 0;
        await app.ExecuteAsync("UPDATE messaging.outbox SET next_attempt_at = now()");
        await app.UntilHandledAsync("Failing: something");
        await app.UntilDeliveredAsync();
    }

    [Fact]
    public async Task What_fails_is_tried_again_in_seconds_then_ever_more_seldom_and_given_up_after_hours()
    {
        var database = await postgres.CreateEmptyDatabaseAsync();
        await using (var app = await StartAsync(database, _ => { }))
            await app.ExecuteAsync(Due("generate_series(2, 9)"));

        await using var again = await StartAsync(database, services => services.AddIntegrationEventHandler<Happened, Failing>());
        await again.UntilAsync("""
            SELECT count(*) FROM messaging.outbox WHERE last_error IS NOT NULL AND attempts BETWEEN 3 AND 9 AND dead_lettered_at IS NULL
                AND next_attempt_at - created_at BETWEEN interval '1 second' * power(3, attempts) AND interval '2 seconds' * power(3, attempts)
            """, 7);
        await again.UntilAsync("SELECT count(*) FROM messaging.outbox WHERE dead_lettered_at IS NOT NULL AND attempts = 10", 1);
    }

    [Fact]
    public async Task What_was_taken_by_a_process_that_died_is_tried_again_by_another_half_a_minute_later()
    {
        var database = await postgres.CreateEmptyDatabaseAsync();
        await using (var app = await StartAsync(database, _ => { }))
            await app.ExecuteAsync(Due("generate_series(0, 0)"));

        // It has taken the event as long as its handler waits.
        await using var taker = await StartAsync(database, services => services.AddIntegrationEventHandler<Happened, Waiting>());
        await taker.UntilAsync("""
            SELECT count(*) FROM messaging.outbox WHERE attempts = 1
                AND next_attempt_at - created_at BETWEEN interval '30 seconds' AND interval '50 seconds'
            """, 1);
    }

    [Fact]
    public async Task A_handler_that_waits_keeps_the_event_from_no_other()
    {
        await using var app = await StartAsync(services => services
            .AddIntegrationEventHandler<Happened, Waiting>()
            .AddIntegrationEventHandler<Happened, First>());
        await app.CommitAsync("something");
        await app.UntilHandledAsync("First: something");
        Assert.Equal(["First: something"], app.Handled);
        app.GoOn.SetResult();
        await app.UntilHandledAsync("Waiting: something");
        await app.UntilDeliveredAsync();
    }

    [Fact]
    public async Task What_was_handled_or_given_up_long_ago_is_forgotten_and_what_is_of_late_is_not()
    {
        var database = await postgres.CreateEmptyDatabaseAsync();
        await using (var app = await StartAsync(database, _ => { }))
        {
            await app.ExecuteAsync("""
                INSERT INTO messaging.inbox (event_id, handler, handled_at)
                SELECT gen_random_uuid(), 'First', CASE WHEN n <= 2500 THEN now() - interval '8 days' ELSE now() - interval '6 days' END
                FROM generate_series(1, 2600) n
                """);
            await app.ExecuteAsync("""
                INSERT INTO messaging.outbox (id, name, payload, attempts, next_attempt_at, dead_lettered_at)
                SELECT gen_random_uuid(), 'gone', '{}', 10, now(), now() - interval '1 day' * n FROM (VALUES (6), (8)) days (n)
                """);
        }

        await using var again = await StartAsync(database, _ => { });
        await again.UntilAsync("SELECT count(*) FROM messaging.inbox", 100);
        await again.UntilAsync("SELECT count(*) FROM messaging.outbox", 1);
    }

    [Fact]
    public async Task What_nobody_here_handles_is_left_for_a_week_to_a_newer_version_that_does()
    {
        var database = await postgres.CreateEmptyDatabaseAsync();
        await using (var app = await StartAsync(database, _ => { }))
        {
            await app.ExecuteAsync("""
                INSERT INTO messaging.outbox (id, name, payload, attempts, next_attempt_at)
                SELECT gen_random_uuid(), 'test.newer.v1', '{}', 0, now() - interval '1 day' * n FROM (VALUES (6), (8)) days (n)
                """);
        }

        await using var again = await StartAsync(database, services => services.AddIntegrationEventHandler<Happened, First>());
        await again.UntilAsync("SELECT count(*) FROM messaging.outbox WHERE next_attempt_at < now() - interval '7 days'", 0);
        await again.UntilAsync("SELECT count(*) FROM messaging.outbox WHERE attempts = 0", 1);
    }

    // Events whose time has come, one for each number of deliveries that failed.
    private static string Due(string attempts) => $$"""
        INSERT INTO messaging.outbox (id, name, payload, attempts, next_attempt_at)
        SELECT gen_random_uuid(), 'test.happened.v1', '{"What":"something"}', n, now() FROM {{attempts}} n
        """;

    private async Task<App> StartAsync(Action<IServiceCollection> handlers) => await StartAsync(await postgres.CreateEmptyDatabaseAsync(), handlers);

    private static Task<App> StartAsync(string database, Action<IServiceCollection> handlers) => App.StartAsync(database, handlers);

    /// <summary>A module of which only the messaging is real.</summary>
    private sealed class App(IHost host, string database) : IAsyncDisposable
    {
        public ConcurrentQueue<string> Handled { get; } = new();

        /// <summary>How often <see cref="OutboxTests.Failing"/> fails from now on.</summary>
        public int Failures { get; set; } = int.MaxValue;

        /// <summary>Lets <see cref="OutboxTests.Waiting"/> go on.</summary>
        public TaskCompletionSource GoOn { get; } = new();

        public static async Task<App> StartAsync(string database, Action<IServiceCollection> handlers)
        {
            var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:Postgres"] = database });
            builder.Services.AddLogging(logging => logging.ClearProviders());
            builder.Services.AddMetrics();
            App? app = null;
            builder.Services.AddSingleton(_ => app!);
            builder.Services.AddModuleDbContext<MessagingContext>(MessagingContext.Schema);
            handlers(builder.Services);
            var host = builder.Build();
            app = new App(host, database);
            await using (var scope = host.Services.CreateAsyncScope())
                await scope.ServiceProvider.GetRequiredService<MessagingContext>().CreateAsync(Cancel);
            await host.StartAsync(Cancel);
            return app;
        }

        public async Task CommitAsync(string what)
        {
            await using var scope = host.Services.CreateAsyncScope();
            var context = scope.ServiceProvider.GetRequiredService<MessagingContext>();
            context.Raise(new Happened(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), what));
            await context.SaveChangesAsync(Cancel);
        }

        /// <summary>Does something in a transaction, on an instance that the pool has given out before if one is named.</summary>
        /// <returns>The instance, which is back in the pool.</returns>
        public async Task<DbContext> InTransactionAsync(Func<MessagingContext, IDbContextTransaction, Task> work, DbContext? on = null)
        {
            var scopes = new Stack<AsyncServiceScope>();
            try
            {
                MessagingContext context;
                do
                {
                    scopes.Push(host.Services.CreateAsyncScope());
                    context = scopes.Peek().ServiceProvider.GetRequiredService<MessagingContext>();
                    Assert.True(scopes.Count < 100, "The pool gives out this instance no more.");
                }
                while (on is not null && context != on);
                await using var transaction = await context.Database.BeginTransactionAsync(Cancel);
                await work(context, transaction);
                return context;
            }
            finally
            {
                foreach (var scope in scopes)
                    await scope.DisposeAsync();
            }
        }

        public Task UntilHandledAsync(string what) => Eventually.TrueAsync(() => Handled.Contains(what), text: what);

        /// <summary>Waits until nothing is left to deliver.</summary>
        public Task UntilDeliveredAsync() => UntilAsync("SELECT count(*) FROM messaging.outbox", 0);

        public Task UntilAsync(string count, long expected) => Eventually.TrueAsync(
            async () =>
            {
                await using var source = NpgsqlDataSource.Create(database);
                await using var command = source.CreateCommand(count);
                return (long)(await command.ExecuteScalarAsync(Cancel))! == expected;
            },
            text: $"{count} is {expected}");

        public async Task ExecuteAsync(string sql)
        {
            await using var source = NpgsqlDataSource.Create(database);
            await using var command = source.CreateCommand(sql);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        public async ValueTask DisposeAsync()
        {
            GoOn.TrySetResult();
            await host.StopAsync(CancellationToken.None);
            host.Dispose();
        }
    }

    [EventName("test.happened.v1")]
    internal sealed record Happened(Guid EventId, string What) : IIntegrationEvent;

    private sealed class First(App app) : IIntegrationEventHandler<Happened>
    {
        public Task HandleAsync(Happened integrationEvent, CancellationToken cancellationToken)
        {
            app.Handled.Enqueue($"First: {integrationEvent.What}");
            return Task.CompletedTask;
        }
    }

    private sealed class Failing(App app) : IIntegrationEventHandler<Happened>
    {
        public Task HandleAsync(Happened integrationEvent, CancellationToken cancellationToken)
        {
            if (app.Failures > 0)
                throw new InvalidTimeZoneException("A fault that only this handler has.");
            app.Handled.Enqueue($"Failing: {integrationEvent.What}");
            return Task.CompletedTask;
        }
    }

    private sealed class Waiting(App app) : IIntegrationEventHandler<Happened>
    {
        public async Task HandleAsync(Happened integrationEvent, CancellationToken cancellationToken)
        {
            await app.GoOn.Task.WaitAsync(cancellationToken);
            app.Handled.Enqueue($"Waiting: {integrationEvent.What}");
        }
    }
}
