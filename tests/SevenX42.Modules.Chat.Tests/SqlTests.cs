using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>What pages cost in the database: how many commands, whatever is on them, and no table read from end to end.</summary>
public sealed class SqlTests(PostgresServer postgres, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Others = 60_000;
    private const int OtherMessages = 60_000;
    private const int Mine = 300;
    private const int MostToSend = 12;

    private string _database = "";
    private Dictionary<string, string?> _settings = [];
    private AppHost _app = null!;
    private ChatBrowser _browser = null!;
    private Guid _owner;
    private bool _isStopped;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _settings = new()
        {
            // The same address after a restart, so that the browser's cookies hold.
            ["Urls"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{HostProcess.FreePort()}"),
            ["RateLimits:CommandsPerMinute"] = "100000",
        };
        _app = await AppHost.StartAsync(_database, _settings);
        _browser = new ChatBrowser(_app);
        var conversation = await _browser.BeginAsync("Hello");
        await _browser.FinishedAsync(conversation);
        _owner = await ScalarAsync<Guid>("SELECT owner_id FROM chat.conversations WHERE id = $1", conversation);
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        if (!_isStopped)
            await _app.DisposeAsync();
    }

    [Fact]
    public async Task A_page_takes_as_many_commands_for_sixty_messages_as_for_three()
    {
        var small = await ConverseAsync(3);
        var large = await ConverseAsync(60);
        foreach (var page in (string[])["/c/{0}", "/conversations/{0}/transcript"])
        {
            var (few, many) = (await CommandsAsync(Format(page, small)), await CommandsAsync(Format(page, large)));
            Assert.True(few.Count == many.Count, $"{page} took {few.Count} commands for 3 messages and {many.Count} for 60:\n{string.Join("\n\n", many)}");
        }
    }

    [Fact]
    public async Task A_page_takes_few_commands()
    {
        await DrawAsync();
        var conversation = await ConverseAsync(60);
        for (var i = 0; i < 20; i++)
            await ConverseAsync(2);
        var message = await ScalarAsync<Guid>("SELECT id FROM chat.messages WHERE conversation_id = $1 AND number = 58", conversation);
        foreach (var (template, most) in ((string, int)[])
        [
            ("/studio", 8), ("/studio/prompts", 1), ("/", 2), ("/c/{0}", 6), ("/c/{0}?message=3", 8), ("/conversations", 2), ("/conversations/{0}/transcript", 3), ("/conversations/{0}/earlier?before={1}", 3),
            ("/conversations/{0}/later?after=3&leaf={1}", 4),
            ("/conversations/{0}/messages/{1}", 2), ("/conversations/{0}/messages/{1}/raw", 1), ("/conversations/{0}/settings", 3), ("/search?q=word", 3),
        ])
        {
            var page = Format(template, conversation, message);
            var commands = await CommandsAsync(page);
            output.WriteLine($"{commands.Count} {template}");
            Assert.NotEmpty(commands);
            Assert.True(commands.Count <= most, $"{page} took {commands.Count} commands:\n{string.Join("\n\n", commands)}");
            // The full-text columns are for searching; they are larger than what is shown.
            Assert.Equal(template.StartsWith("/search", StringComparison.Ordinal), commands.Any(c => c.Contains("search", StringComparison.Ordinal)));
            Assert.True(!template.EndsWith("/settings", StringComparison.Ordinal) || !commands.Any(c => c.Contains("messages", StringComparison.Ordinal)), "The settings read messages.");
        }
    }

    [Fact]
    public async Task Sending_takes_few_commands_in_a_long_conversation_as_in_a_short_one()
    {
        var (small, large) = (await ConverseAsync(4), await ConverseAsync(60));
        var (few, many) = (await FewestToSendAsync(small), await FewestToSendAsync(large));
        Assert.True(few.Count is > 4 and <= MostToSend && many.Count <= MostToSend, $"Sending took {few.Count} commands after 4 messages and {many.Count} after 60:\n{string.Join("\n\n", many)}");
    }

    // What is done with a message afterwards is done in the background, and carries the request's trace: it only ever adds, so
    // the fewest of a few times is what sending takes.
    private async Task<List<string>> FewestToSendAsync(Guid conversation)
    {
        var times = new List<List<string>>();
        for (var i = 0; i < 3; i++)
        {
            times.Add(Own(await CommandsAsync(() => SendAsync(conversation))));
            await _browser.FinishedAsync(conversation);
        }

        return times.MinBy(commands => commands.Count)!;
    }

    private static List<string> Own(IReadOnlyList<string> commands) =>
        [.. commands.Where(c => c.Contains("chat.messages", StringComparison.Ordinal) || c.Contains("chat.conversations", StringComparison.Ordinal))];

    [Fact]
    public async Task No_page_reads_a_table_from_end_to_end()
    {
        var conversation = await ConverseAsync(60);
        var message = await ScalarAsync<Guid>("SELECT id FROM chat.messages WHERE conversation_id = $1 AND number = 58", conversation);
        await DrawAsync();
        for (var i = 0; i < Mine; i++)
            await ConverseAsync(2);
        await _app.DisposeAsync();
        await FillAsync();

        var commands = new ConcurrentDictionary<string, bool>();
        using (Listen((text, _) => commands[text] = true))
        {
            _app = await AppHost.StartAsync(_database, _settings);
            foreach (var page in (string[])["/", "/studio", "/c/{0}", "/c/{0}?message=3", "/conversations", "/conversations?loaded=200", "/conversations/{0}/transcript", "/conversations/{0}/transcript?from=3&to=40", "/conversations/{0}/earlier?before={1}", "/conversations/{0}/later?after=3&leaf={1}", "/conversations/{0}/messages/{1}", "/conversations/{0}/messages/{1}/raw", "/search?q=word", "/search?q=rare+wor"])
                (await _browser.GetAsync(Format(page, conversation, message))).EnsureSuccessStatusCode();
            var list = await _browser.PageAsync("/conversations");
            (await _browser.GetAsync(list.QuerySelector("[hx-get*='after=']")!.GetAttribute("hx-get")!)).EnsureSuccessStatusCode();
            (await SendAsync(conversation)).EnsureSuccessStatusCode();
            await _browser.FinishedAsync(conversation);
            (await _browser.PostAsync($"/conversations/{conversation}/branch", ("messageId", message.ToString()))).EnsureSuccessStatusCode();
            await _app.DisposeAsync();
            _isStopped = true;
        }

        await AloneAsync();
        const string OfTables = "FROM pg_stat_user_tables WHERE schemaname = 'chat' AND relname IN ('messages', 'conversations')";
        var (whole, byIndex) = (await ScalarAsync<string>($"SELECT coalesce(string_agg(relname, ' '), '') {OfTables} AND seq_scan > 0"), await ScalarAsync<long>($"SELECT sum(idx_scan)::bigint {OfTables}"));
        Assert.True(byIndex > 10, "Nothing was read.");
        Assert.True(whole.Length == 0, $"From end to end was read: {whole}. Perhaps by:\n{string.Join("\n\n", await SuspectsAsync(commands.Keys))}");
    }

    /// <summary>Which of these commands PostgreSQL would read a whole table for, without knowing their parameters.</summary>
    private async Task<IReadOnlyList<string>> SuspectsAsync(IEnumerable<string> commands)
    {
        var suspects = new List<string>();
        foreach (var text in commands.SelectMany(c => c.Split(";\n")).Where(c => c.Contains("SELECT", StringComparison.Ordinal)).Where(c => c.Contains("messages", StringComparison.Ordinal) || c.Contains("conversations", StringComparison.Ordinal)))
        {
            await using var connection = new NpgsqlConnection(_database);
            await connection.OpenAsync(Cancel);
            var names = Regex.Matches(text, @"@\w+").Select(m => m.Value).Distinct().ToList();
            var numbered = Regex.Replace(text, @"@\w+", m => string.Create(CultureInfo.InvariantCulture, $"${names.IndexOf(m.Value) + 1}"));
            await using var command = connection.CreateCommand();
            var plan = new List<string>();
            try
            {
                command.CommandText = $"PREPARE suspect AS {numbered}";
                await command.ExecuteNonQueryAsync(Cancel);
                command.CommandText = "SET plan_cache_mode = force_generic_plan";
                await command.ExecuteNonQueryAsync(Cancel);
                command.CommandText = names.Count == 0 ? "EXPLAIN EXECUTE suspect" : $"EXPLAIN EXECUTE suspect ({string.Join(", ", names.Select(_ => "NULL"))})";
                await using var reader = await command.ExecuteReaderAsync(Cancel);
                while (await reader.ReadAsync(Cancel))
                    plan.Add(reader.GetString(0));
            }
            catch (PostgresException e)
            {
                plan.Add($"Seq Scan? {e.MessageText}");
            }

            if (plan.Exists(l => l.Contains("Seq Scan", StringComparison.Ordinal)))
                suspects.Add($"{text}\n{string.Join('\n', plan)}");
        }

        return suspects;
    }

    // Reads the requests' commands off the traces of the database's driver: whichever module sends them. The session's check is
    // not the page's: it is kept for a while, and then some page makes it.
    private static async Task<IReadOnlyList<string>> CommandsAsync(Func<Task<HttpResponseMessage>> request)
    {
        var commands = new ConcurrentQueue<string>();
        using var trace = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
        using var listener = Listen((text, id) =>
        {
            if (id == trace.TraceId && !text.Contains("FROM identity.sessions", StringComparison.Ordinal))
                commands.Enqueue(text);
        });
        using var response = await request();
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancel));
        return [.. commands];
    }

    private static ActivityListener Listen(Action<string, ActivityTraceId> heard)
    {
        var listener = new ActivityListener
        {
            // The server's own, too, for it is what carries the request's trace on.
            ShouldListenTo = source => source.Name is "Npgsql" or "Microsoft.AspNetCore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if ((activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) is string text)
                    heard(text, activity.TraceId);
            },
        };
        ActivitySource.AddActivityListener(listener);
        return listener;
    }

    private async Task<IReadOnlyList<string>> CommandsAsync(string page)
    {
        // What is read once and kept is not the page's.
        (await _browser.GetAsync(page)).Dispose();
        return await CommandsAsync(() => _browser.GetAsync(page));
    }

    private Task<HttpResponseMessage> SendAsync(Guid conversation) =>
        _browser.PostAsync($"/conversations/{conversation}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "More"));

    private async Task DrawAsync()
    {
        (await _browser.PostAsync("/studio", ("messageId", ChatBrowser.NewId().ToString()), ("text", "A word"), ("steps", "1"), ("draw", "true"))).EnsureSuccessStatusCode();
        await Eventually.TrueAsync(async () => (await _browser.PageAsync("/studio")).QuerySelector("#stage [data-status=completed]:not([data-role=user])") is not null);
    }

    /// <summary>A conversation of its owner with so many messages; the last is an answer.</summary>
    private async Task<Guid> ConverseAsync(int messages)
    {
        var id = ChatBrowser.NewId();
        await ExecuteAsync(
            """
            INSERT INTO chat.conversations (id, owner_id, title, title_source, model, instructions, last_number, created_at, updated_at)
            VALUES ($1, $2, 'A title with a word', 'FirstMessage', '', '', $3, now(), now());
            """,
            id, _owner, messages);
        await ExecuteAsync(
            """
            INSERT INTO chat.messages (id, conversation_id, owner_id, parent_id, number, role, content, reasoning, status, error_code, error_message, model,
                input_tokens, output_tokens, duration_milliseconds, omitted_messages, created_at)
            SELECT md5($1::text || n)::uuid, $1, $2, CASE WHEN n = 1 THEN NULL ELSE md5($1::text || (n - 1))::uuid END, n,
                CASE WHEN (n + $3) % 2 = 0 THEN 'Assistant' ELSE 'User' END, 'Message ' || n || ' with a word', '', 'Completed', '', '', '', 0, 0, 0, 0, now()
            FROM generate_series(1, $3) n
            """,
            id, _owner, messages);
        await ExecuteAsync("UPDATE chat.conversations SET leaf_id = md5($1::text || $2)::uuid WHERE id = $1", id, messages);
        return id;
    }

    /// <summary>Other people's conversations, so many that reading them all would be noticed.</summary>
    private async Task FillAsync()
    {
        await ExecuteAsync(
            """
            INSERT INTO chat.conversations (id, owner_id, title, title_source, model, instructions, last_number, created_at, updated_at)
            SELECT md5('c' || n)::uuid, md5('o' || n % 200)::uuid, 'Somebody else''s word ' || n, 'FirstMessage', '', '', 3, now() - n * interval '1 minute', now() - n * interval '1 minute'
            FROM generate_series(1, $1) n
            """,
            Others);
        await ExecuteAsync(
            """
            INSERT INTO chat.messages (id, conversation_id, owner_id, parent_id, number, role, content, reasoning, status, error_code, error_message, model,
                input_tokens, output_tokens, duration_milliseconds, omitted_messages, created_at)
            SELECT md5('m' || n)::uuid, md5('c' || (1 + n % $2))::uuid, md5('o' || (1 + n % $2) % 200)::uuid, CASE WHEN n <= $2 THEN NULL ELSE md5('m' || n - $2)::uuid END,
                1 + (n - 1) / $2, 'User', 'Somebody else wrote the word ' || n, '', 'Completed', '', '', '', 0, 0, 0, 0, now()
            FROM generate_series(1, $1) n
            """,
            OtherMessages, Others);
        await ExecuteAsync("ANALYZE chat.conversations, chat.messages");
        await AloneAsync();
        await ExecuteAsync("SELECT pg_stat_reset()");
    }

    // A connection's statistics are complete once it is closed.
    private async Task AloneAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await Eventually.TrueAsync(async () => await ScalarAsync<long>("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()") == 0);
    }

    private static string Format(string page, params object[] values) => string.Format(CultureInfo.InvariantCulture, page, values);

    private async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancel);
        await using var command = Command(connection, sql, parameters);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var connection = new NpgsqlConnection(_database);
        await connection.OpenAsync(Cancel);
        await using var command = Command(connection, sql, parameters);
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private static NpgsqlCommand Command(NpgsqlConnection connection, string sql, object[] parameters)
    {
        var command = new NpgsqlCommand(sql.TrimEnd().TrimEnd(';'), connection);
        foreach (var parameter in parameters)
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        return command;
    }
}
