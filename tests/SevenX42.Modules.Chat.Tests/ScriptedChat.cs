using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>The application with a provider whose answers the test writes, a person, and a look into the database.</summary>
internal sealed class ScriptedChat : IAsyncDisposable
{
    private ScriptedChat(ScriptedProvider provider, AppHost app, string database) =>
        (Provider, App, Browser, Database) = (provider, app, new ChatBrowser(app), database);

    public ScriptedProvider Provider { get; }

    public AppHost App { get; }

    public ChatBrowser Browser { get; }

    public string Database { get; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Starts it. The models <c>test/scripted</c> (which is asked when nobody chooses) and <c>test/other</c> answer at once.</summary>
    /// <param name="postgres">The server for its database.</param>
    /// <param name="settings">Further configuration.</param>
    public static async Task<ScriptedChat> StartAsync(PostgresServer postgres, params (string Key, string Value)[] settings)
    {
        var provider = await ScriptedProvider.StartAsync();
        provider.Script("scripted", r => IsForTitle(r) ? Script.Answer("A title") : Script.Answer("An answer."));
        provider.Script("other", Script.Answer("Another answer."));
        var database = await postgres.CreateDatabaseAsync();
        var app = await AppHost.StartAsync(
            database,
            new KeyValuePair<string, string?>[]
            {
                new("Generation:Demo", "false"),
                new("Generation:Providers:0:Name", "test"),
                new("Generation:Providers:0:BaseUrl", provider.BaseUrl.ToString()),
                new("Generation:Providers:0:Models:0", "scripted"),
                new("Generation:Providers:0:Models:1", "other"),
                new("RateLimits:CommandsPerMinute", "100000"),
            }.ExceptBy(settings.Select(s => s.Key), s => s.Key).Concat(settings.Select(s => KeyValuePair.Create(s.Key, (string?)s.Value))));
        return new ScriptedChat(provider, app, database);
    }

    /// <summary>Whether a title is asked for, and not an answer.</summary>
    public static bool IsForTitle(RecordedRequest request) =>
        request.Messages is [("system", var prompt), ..] && prompt.StartsWith("Give this conversation a title", StringComparison.Ordinal);

    /// <summary>A value of the database.</summary>
    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var source = NpgsqlDataSource.Create(Database);
        await using var command = source.CreateCommand(sql);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }

    /// <summary>Changes the database behind the application's back.</summary>
    public async Task ExecuteAsync(string sql)
    {
        await using var source = NpgsqlDataSource.Create(Database);
        await using var command = source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Looks for answers that nobody will ever finish, so much later.</summary>
    public async Task<int> EndAbandonedAsync(TimeSpan later)
    {
        await using var scope = App.Services.CreateAsyncScope();
        return await AbandonedAnswers.EndAsync(
            scope.ServiceProvider.GetRequiredService<ChatDbContext>(),
            scope.ServiceProvider.GetRequiredService<IGenerationApi>(),
            TimeProvider.System.GetUtcNow() + later,
            Cancel);
    }

    /// <summary>Holds what a statement locks until the result is disposed of.</summary>
    public async Task<HeldLock> HoldAsync(string sql, params object[] parameters)
    {
        var connection = new NpgsqlConnection(Database);
        await connection.OpenAsync(Cancel);
        var transaction = await connection.BeginTransactionAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection, transaction);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        await command.ExecuteNonQueryAsync(Cancel);
        return new HeldLock(connection, transaction);
    }

    /// <summary>Waits until so many connections wait for a lock.</summary>
    public Task WaitingAsync(int count) => Eventually.TrueAsync(async () =>
        await ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == count);

    /// <summary>A long conversation of the person, who has begun one already; message n says "Message n.".</summary>
    public async Task<Guid> ConverseAsync(int messages)
    {
        var id = ChatBrowser.NewId();
        await ScalarAsync<int>(
            """
            WITH owner AS (SELECT owner_id AS id FROM chat.conversations LIMIT 1), conversation AS (
                INSERT INTO chat.conversations (id, owner_id, title, title_source, model, instructions, leaf_id, last_number, created_at, updated_at)
                SELECT $1, id, 'A long conversation', 'Person', '', '', md5($1::text || $2)::uuid, $2, now(), now() FROM owner)
            INSERT INTO chat.messages (id, conversation_id, owner_id, parent_id, number, role, content, reasoning, status, error_code, error_message, model,
                input_tokens, output_tokens, duration_milliseconds, omitted_messages, created_at)
            SELECT md5($1::text || n)::uuid, $1, owner.id, CASE WHEN n > 1 THEN md5($1::text || (n - 1))::uuid END, n,
                CASE WHEN n % 2 = 0 THEN 'Assistant' ELSE 'User' END, 'Message ' || n || '.', '', 'Completed', '', '', 'test/scripted', 0, 0, 0, 0, now()
            FROM owner, generate_series(1, $2) n
            RETURNING 1
            """,
            id,
            messages);
        return id;
    }

    /// <summary>The texts on a conversation's page once its last answer has ended.</summary>
    public async Task<IReadOnlyList<string>> TextsAsync(Guid conversation) =>
        [.. (await Browser.FinishedAsync(conversation)).QuerySelectorAll("[data-source], [data-blocks]").Select(e => e.TextContent.Trim())];

    public async ValueTask DisposeAsync()
    {
        Browser.Dispose();
        await App.DisposeAsync();
        await Provider.DisposeAsync();
    }

    /// <summary>Locks that a test holds.</summary>
    public sealed class HeldLock(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
    {
        /// <summary>Commits what was done under them and lets them go.</summary>
        public Task CommitAsync() => transaction.CommitAsync(Cancel);

        public async ValueTask DisposeAsync()
        {
            await transaction.DisposeAsync();
            await connection.DisposeAsync();
        }
    }
}
