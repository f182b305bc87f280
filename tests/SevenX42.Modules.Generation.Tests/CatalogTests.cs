using System.Text;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Features.Catalog;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>Which models there are, and why others are missing.</summary>
public sealed class CatalogTests(PostgresServer postgres) : IAsyncLifetime
{
    private ScriptedProvider _server = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await ScriptedProvider.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task The_demo_model_is_always_there_last_and_labelled()
    {
        _server.Models = ["zeta", "alpha"];
        await using var host = await StartAsync();
        var models = await host.Api.GetModelsAsync(Cancelled);
        Assert.Equal(["scripted/alpha", "scripted/zeta", "demo/demo"], models.Select(m => m.Id));
        Assert.Equal([false, false, true], models.Select(m => m.IsDemo));
        Assert.Contains("not a language model", models[^1].Name, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_demo_model_can_be_left_out()
    {
        await using var host = await StartAsync(("Generation:Demo", "false"));
        Assert.Equal(["scripted/scripted"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
    }

    [Fact]
    public async Task Models_that_are_not_for_chat_are_left_out_unless_they_are_configured()
    {
        _server.Models = ["gpt-4o", "text-embedding-3-small", "whisper-1", "tts-1", "dall-e-3", "omni-moderation-latest"];
        await using var host = await StartAsync();
        Assert.Equal(["scripted/gpt-4o", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
    }

    [Fact]
    public async Task Configured_models_are_offered_in_their_order_whatever_the_server_lists()
    {
        _server.Models = ["a", "b"];
        await using var host = await StartAsync(("Models:0", "org/tuned"), ("Models:1", "a"));
        Assert.Equal(["scripted/org/tuned", "scripted/a", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        _server.Script("org/tuned", Script.Answer("tuned"));
        Assert.Equal("tuned", (await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "scripted/org/tuned")))).Text);
    }

    [Fact]
    public async Task Context_windows_are_taken_from_the_configuration_the_list_or_a_safe_assumption()
    {
        _server.ModelsScript = Script.Respond(200, """
            {"object":"list","data":[{"id":"vllm","max_model_len":32768},{"id":"router","context_length":200000},
             {"id":"llama","meta":{"n_ctx":16384,"n_ctx_train":131072}},{"id":"silent"},{"id":"odd","context_length":"many"}]}
            """);
        await using (var host = await StartAsync())
        {
            // A start does not wait for a slow list for ever.
            await Eventually.TrueAsync(async () => (await host.Api.GetModelsAsync(Cancelled)).Any(m => !m.IsDemo));
            Assert.Equal(
                [("llama", 16384), ("odd", 8192), ("router", 200000), ("silent", 8192), ("vllm", 32768)],
                (await host.Api.GetModelsAsync(Cancelled)).Where(m => !m.IsDemo).Select(m => (m.Name, m.ContextTokens)));
        }

        await using var configured = await StartAsync(("ContextTokens", "1000"));
        await Eventually.TrueAsync(async () => (await configured.Api.GetModelsAsync(Cancelled)).Any(m => !m.IsDemo));
        Assert.All((await configured.Api.GetModelsAsync(Cancelled)).Where(m => !m.IsDemo), m => Assert.Equal(1000, m.ContextTokens));
    }

    public static TheoryData<string, Script, string> NoLists { get; } = new()
    {
        { "a wrong key", Script.Error(401, "Incorrect API key provided: sk-abc"), "does not accept the configured key" },
        { "a page", Script.Respond(200, "<html>hello</html>", "text/html"), "web page" },
        { "a page that says it is JSON", Script.Respond(200, "<html>hello</html>"), "does not list its models" },
        { "other JSON", Script.Respond(200, """{"hello":"world"}"""), "does not list its models" },
        { "items without ids", Script.Respond(200, """{"data":[{"name":"x"}]}"""), "does not list its models" },
        { "nothing there", Script.Respond(404, ""), "Check its BaseUrl" },
        { "a redirect", Script.Respond(302, "").Header("Location", "http://169.254.169.254/latest"), "169.254.169.254" },
        { "a fault", Script.Respond(500, ""), "has a problem" },
        { "too much", Script.Respond(200, "[" + new string(' ', 5_000_000) + "]"), "does not list its models" },
        { "silence", Script.Stream.Hang(), "within 5 seconds" },
    };

    [Theory]
    [MemberData(nameof(NoLists))]
    public async Task A_server_without_a_list_is_unavailable_and_says_why(string what, Script script, string sentence)
    {
        _server.ModelsScript = script;
        await using var host = await StartAsync(("ApiKey", "sk-abc"));
        var provider = await GenerationHost.EventuallyAsync(
            async () => (await host.Api.GetProvidersAsync(Cancelled)).SingleOrDefault(p => p.State == ProviderInfo.Unavailable), what);
        Assert.Equal(("scripted", 0, false), (provider.Name, provider.ModelCount, provider.IsDiscovered));
        Assert.Contains(sentence, provider.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-abc", provider.Message, StringComparison.Ordinal);
        Assert.Equal(["demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
    }

    [Fact]
    public async Task Models_with_characters_that_are_none_are_left_out_and_the_others_offered()
    {
        _server.ModelsScript = Script.Respond(200, """{"data":[{"id":"half \ud800"},{"id":"whole"},{"id":"größe"}]}""") with { Encoding = Encoding.Latin1 };
        await using var host = await StartAsync();
        Assert.Equal(["scripted/whole", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
    }

    [Theory]
    [InlineData("a wrong key", 401, "does not accept the configured key")]
    [InlineData("a list that only the key may not see", 403, "")]
    [InlineData("no list", 404, "")]
    public async Task A_server_whose_models_are_named_is_asked_all_the_same_and_only_a_lack_of_a_list_is_forgiven(string what, int status, string sentence)
    {
        _server.ModelsScript = Script.Error(status, "no");
        await using var host = await StartAsync(("Models:0", "named"));
        Assert.Equal(["scripted/named", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        var provider = await GenerationHost.EventuallyAsync(
            async () => (await host.Api.GetProvidersAsync(Cancelled)).SingleOrDefault(p => p.Message.Contains(sentence, StringComparison.Ordinal) && _server.AllRequests.Count > 0),
            what);
        Assert.Equal((sentence.Length > 0 ? ProviderInfo.Unavailable : ProviderInfo.Ready, 1), (provider.State, provider.ModelCount));
    }

    [Fact]
    public async Task A_list_that_cannot_be_read_is_asked_for_again_and_again()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        _server.ModelsScript = Script.Respond(200, """{"data":[{"id":"\ud800"}]}""");
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(), GenerationHost.Settings(_server), services: services => services.AddSingleton<TimeProvider>(time));
        Assert.Equal(["demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        await MinutesPassAsync(time, () => _server.AllRequests.Count > 3);
        _server.ModelsScript = null;
        IReadOnlyList<ModelInfo> models = [];
        await MinutesPassAsync(time, async () => (models = await host.Api.GetModelsAsync(Cancelled)).Count == 2);
        Assert.Equal("scripted/scripted", models[0].Id);
    }

    [Fact]
    public async Task Asking_that_fails_by_our_own_fault_is_said_logged_and_goes_on()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var log = new LogLines();
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            GenerationHost.Settings(_server),
            services: services => services.AddSingleton<TimeProvider>(time).AddSingleton<ILoggerProvider>(log));
        Assert.Equal(ProviderInfo.Ready, (await host.Api.GetProvidersAsync(Cancelled)).Single().State);

        // Whatever is asked from now on throws what no server can cause.
        host.Services.GetRequiredService<ProviderConnections>().Dispose();
        await MinutesPassAsync(
            time, () => log.All.Count(l => l.Level == LogLevel.Error && l.Text.Contains("scripted", StringComparison.Ordinal)) > 2);
        var provider = (await host.Api.GetProvidersAsync(Cancelled)).Single();
        Assert.Equal(ProviderInfo.Unavailable, provider.State);
        Assert.Contains("log", provider.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_takes_its_time_is_said_to_be_asked()
    {
        var gate = new TaskCompletionSource();
        _server.ModelsScript = Script.Respond(200, " ").Until(gate.Task).Raw("""{"data":[{"id":"late"}]}""");
        await using var host = await StartAsync();
        Assert.Equal(("asking", 0), (await host.Api.GetProvidersAsync(Cancelled)).Select(p => (p.State, p.ModelCount)).Single());
        gate.SetResult();
        await GenerationHost.EventuallyAsync(
            async () => (await host.Api.GetProvidersAsync(Cancelled)).SingleOrDefault(p => p is { State: ProviderInfo.Ready, ModelCount: 1 }), "it answers");
    }

    [Fact]
    public async Task Redirects_are_not_followed()
    {
        await using var elsewhere = await ScriptedProvider.StartAsync();
        _server.ModelsScript = Script.Respond(307, "").Header("Location", $"{elsewhere.BaseUrl}v1/models");
        _server.Script("m", Script.Respond(307, "").Header("Location", $"{elsewhere.BaseUrl}v1/chat/completions"));
        await using var host = await StartAsync();
        var finished = await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "scripted/m")));
        Assert.Equal("provider_redirects", finished.ErrorCode);
        Assert.Empty(elsewhere.AllRequests);
    }

    [Theory]
    [InlineData("/openai", "/openai/models")]
    [InlineData("/openai/v1", "/openai/v1/models")]
    [InlineData("", "/models")]
    public async Task The_root_of_the_api_is_found(string configured, string route)
    {
        _server.ModelsScript = Script.Respond(404, "");
        _server.Routes[route] = Script.Respond(200, """{"data":[{"id":"found"}]}""");
        await using var host = await StartAsync(("BaseUrl", _server.BaseUrl.ToString().TrimEnd('/') + configured + "/"));
        Assert.Equal(["scripted/found", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        _server.Script("found", Script.Answer("ok"));
        Assert.Equal("ok", (await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "scripted/found")))).Text);
        Assert.Equal(route.Replace("/models", "/chat/completions", StringComparison.Ordinal), _server.Requests.Single().Path);
    }

    [Fact]
    public async Task A_local_server_is_found_with_what_it_says_about_its_models()
    {
        _server.Models = ["llama3.2:latest", "phi4:latest"];
        _server.Routes["/api/ps"] = Script.Respond(200, """{"models":[{"name":"phi4:latest","model":"phi4:latest","context_length":16384}]}""");
        await using var host = await DiscoverAsync($"ollama={_server.BaseUrl}");
        Assert.Equal(
            [("ollama/llama3.2:latest", 4096), ("ollama/phi4:latest", 16384), ("demo/demo", 8192)],
            (await host.Api.GetModelsAsync(Cancelled)).Select(m => (m.Id, m.ContextTokens)));
        Assert.Equal(
            new ProviderInfo("ollama", ProviderInfo.Ready, "", 2, IsDiscovered: true), (await host.Api.GetProvidersAsync(Cancelled)).Single());
        _server.Script("phi4:latest", Script.Answer("local"));
        Assert.Equal("local", (await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request(model: "ollama/phi4:latest")))).Text);
    }

    [Theory]
    [InlineData("lmstudio", "/api/v0/models", """{"data":[{"id":"scripted","max_context_length":131072,"loaded_context_length":4096}]}""", 4096)]
    [InlineData("lmstudio", "/api/v0/models", """{"data":[{"id":"scripted","max_context_length":131072}]}""", 131072)]
    [InlineData("llamacpp", "/props", """{"default_generation_settings":{"n_ctx":65536}}""", 65536)]
    [InlineData("llamacpp", "/props", """{"default_generation_settings":"none"}""", 8192)]
    [InlineData("ollama", "/api/ps", "[]", 4096)]
    public async Task Local_servers_tell_the_window_they_really_run_with(string name, string route, string body, int context)
    {
        _server.Routes[route] = Script.Respond(200, body);
        await using var host = await DiscoverAsync($"{name}={_server.BaseUrl}");
        Assert.Equal(context, (await host.Api.GetModelsAsync(Cancelled))[0].ContextTokens);
    }

    [Theory]
    [InlineData("lmstudio", "/api/v0/models", """{"data":[{"id":"scripted","type":"vlm"}]}""", true)]
    [InlineData("lmstudio", "/api/v0/models", """{"data":[{"id":"scripted","type":"llm"}]}""", false)]
    [InlineData("lmstudio", "/api/v0/models", """{"data":[{"id":"scripted"}]}""", null)]
    [InlineData("ollama", "/api/show", """{"capabilities":["completion","vision"]}""", true)]
    [InlineData("ollama", "/api/show", """{"capabilities":["completion","tools"]}""", false)]
    [InlineData("ollama", "/api/show", """{"details":{}}""", null)]
    [InlineData("llamacpp", "/v1/models", """{"models":[{"model":"scripted","capabilities":["completion","multimodal"]}],"data":[{"id":"scripted"}]}""", true)]
    [InlineData("llamacpp", "/v1/models", """{"models":[{"model":"scripted","capabilities":["completion"]}],"data":[{"id":"scripted"}]}""", false)]
    [InlineData("vllm", "/v1/models", """{"data":[{"id":"scripted"}]}""", null)]
    public async Task Local_servers_tell_which_of_their_models_see(string name, string route, string body, bool? sees)
    {
        _server.Routes[route] = Script.Respond(200, body);
        await using var host = await DiscoverAsync($"{name}={_server.BaseUrl}");
        Assert.Equal([sees, false], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Sees));
        if (name == "ollama")
            Assert.Equal("""{"model":"scripted"}""", _server.AllRequests.First(r => r.Path == route).Body);
    }

    [Fact]
    public async Task Which_models_of_Ollama_see_is_asked_again_after_some_minutes_and_when_somebody_looks()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        Show("""{"capabilities":["completion"]}""");
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [new("Generation:Discovery", "true"), new("Generation:DiscoveryTargets:0", $"ollama={_server.BaseUrl}")],
            services: services => services.AddSingleton<TimeProvider>(time));
        Assert.Equal(false, await SeesAsync());

        // Its list is asked for again and again, each of its models is not.
        Show("""{"capabilities":["completion","vision"]}""");
        var began = time.GetUtcNow();
        await Eventually.TrueAsync(() =>
        {
            if (time.GetUtcNow() - began < TimeSpan.FromMinutes(4))
                time.Advance(TimeSpan.FromSeconds(15));
            return Asked("/v1/models") > 3;
        });
        Assert.Equal(1, Asked("/api/show"));
        await MinutesPassAsync(time, async () => await SeesAsync() == true);

        // The clock stands still.
        Show("""{"capabilities":["completion"]}""");
        await host.Services.GetRequiredService<ProviderRefresher>().LookAgainAsync(Cancelled);
        Assert.Equal(false, await SeesAsync());

        // What it said last holds while it says nothing.
        _server.Routes["/api/show"] = Script.Error(500, "no");
        var asked = Asked("/api/show");
        await MinutesPassAsync(time, () => Asked("/api/show") > asked + 1);
        Assert.Equal(false, await SeesAsync());

        void Show(string body) => _server.Routes["/api/show"] = Script.Respond(200, body);
        int Asked(string path) => _server.AllRequests.Count(r => r.Path == path);
        async Task<bool?> SeesAsync() => (await host.Api.GetModelsAsync(Cancelled))[0].Sees;
    }

    [Fact]
    public async Task Which_models_of_a_configured_server_see_it_says_itself_unless_the_configuration_does()
    {
        _server.ModelsScript = Script.Respond(200, """
            {"data":[{"id":"a","architecture":{"input_modalities":["text","image"]}},{"id":"b","architecture":{"input_modalities":["text"]}},{"id":"c"}]}
            """);
        foreach (var (vision, expected) in ((string?, bool?[])[])[(null, [true, false, null]), ("true", [true, true, true]), ("false", [false, false, false])])
        {
            await using var host = await StartAsync(vision is null ? [] : [("Vision", vision)]);
            IReadOnlyList<ModelInfo> models = [];
            await Eventually.TrueAsync(async () => (models = await host.Api.GetModelsAsync(Cancelled)).Count == 4);
            Assert.Equal(expected, models.Take(3).Select(m => m.Sees));
            await using var scope = host.Services.CreateAsyncScope();
            var listed = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new ListModels(), Cancelled);
            Assert.Equal([.. expected, false], listed.Value.Models.Select(m => m.Sees));
        }
    }

    [Theory]
    [InlineData("text/html", "<html>my site</html>")]
    [InlineData("application/json", """{"status":"ok"}""")]
    [InlineData("application/json", """{"data":"none"}""")]
    public async Task What_is_no_model_server_is_not_taken_for_one(string type, string body)
    {
        _server.ModelsScript = Script.Respond(200, body, type);
        await using var host = await DiscoverAsync($"llamacpp={_server.BaseUrl}", "vllm=http://127.0.0.1:1");
        Assert.Equal(["demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        Assert.Empty(await host.Api.GetProvidersAsync(Cancelled));
    }

    [Fact]
    public async Task A_silent_port_does_not_hold_up_the_start()
    {
        _server.ModelsScript = Script.Stream.Hang();
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        await using var host = await DiscoverAsync($"llamacpp={_server.BaseUrl}");
        await host.Api.GetModelsAsync(Cancelled);
        await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request()));
        Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(8));
    }

    [Fact]
    public void A_server_that_is_configured_is_not_looked_for_as_well()
    {
        var options = new GenerationOptions();
        options.Providers.Add(new ProviderOptions { Name = "mine", BaseUrl = "http://localhost:11434/v1" });
        options.Providers.Add(new ProviderOptions { Name = "vllm", BaseUrl = "http://gpu.example:9000" });
        Assert.Equal(["lmstudio", "llamacpp", "webui", "comfyui"], LocalServers.Targets(options).Select(t => t.Name));
    }

    [Fact]
    public async Task The_list_says_what_is_there_and_what_is_wrong()
    {
        _server.ModelsScript = Script.Error(401, "no");
        await using var host = await StartAsync();
        await using var scope = host.Services.CreateAsyncScope();
        var listed = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new ListModels(), Cancelled);
        Assert.Equal("demo/demo", listed.Value.Models.Single().Id);
        Assert.Equal(
            ("scripted", ProviderInfo.Unavailable, "Generation__Providers__0__"), listed.Value.Providers.Select(p => (p.Name, p.State, p.Settings)).Single());
    }

    [Theory]
    [InlineData("Name", "", "Name must be")]
    [InlineData("Name", "a/b", "Name must be")]
    [InlineData("Name", "demo", "built-in")]
    [InlineData("BaseUrl", "ollama:11434", "BaseUrl must be")]
    [InlineData("BaseUrl", "ftp://host", "BaseUrl must be")]
    [InlineData("BaseUrl", "http://user:pass@host", "BaseUrl must be")]
    [InlineData("ApiKey", "sk-\n1", "ApiKey")]
    [InlineData("MaxConcurrent", "0", "MaxConcurrent")]
    [InlineData("IdleTimeout", "-00:00:01", "Timeouts")]
    [InlineData("Generation:Lease", "00:00:01", "Lease")]
    [InlineData("Generation:JobRetention", "00:30:00", "JobRetention")]
    [InlineData("Generation:DiscoveryTargets:0", "http://127.0.0.1:11434", "DiscoveryTargets:0")]
    [InlineData("Generation:DiscoveryTargets:0", "ollama=127.0.0.1:11434", "DiscoveryTargets:0")]
    public async Task A_wrong_setting_stops_the_start_and_says_which(string key, string value, string sentence)
    {
        var database = await postgres.CreateDatabaseAsync();
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(
            () => GenerationHost.StartAsync(database, GenerationHost.Settings(_server, (key, value))));
        Assert.Contains(sentence, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(AppRole.Web, "true", "true", "Generation:Discovery: with Role Web, what is found on one machine is not there for all.")]
    [InlineData(AppRole.Worker, "true", "true", "Generation:Discovery: with Role Worker, what is found on one machine is not there for all.")]
    [InlineData(AppRole.Worker, "false", "false", "Generation: there is no model. Name a server in Generation:Providers:0,")]
    [InlineData(AppRole.Web, "false", "false", "Generation: there is no model. Name a server in Generation:Providers:0,")]
    [InlineData(AppRole.All, "false", "false", "Generation: there is no model. Name a server in Generation:Providers:0,")]
    public async Task What_offers_no_model_or_another_one_on_each_machine_stops_the_start(AppRole role, string discovery, string demo, string sentence)
    {
        var database = await postgres.CreateDatabaseAsync();
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => GenerationHost.StartAsync(
            database,
            [new("Generation:Discovery", discovery), new("Generation:Demo", demo)],
            services: services => services.AddSingleton(new AppRoleContext(role))));
        Assert.StartsWith(sentence, Assert.Single(refused.Failures), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_worker_may_look_where_all_can()
    {
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [new("Generation:Discovery", "true"), new("Generation:DiscoveryTargets:0", "shared=http://nowhere.invalid:11434")],
            services: services => services.AddSingleton(new AppRoleContext(AppRole.Worker)));
        Assert.Equal(["demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
    }

    [Fact]
    public async Task A_model_that_is_named_twice_stops_the_start()
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(("Models:0", "a"), ("Models:1", "b"), ("Models:2", "a")));
        Assert.Contains("Providers:0:Models:2", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_whose_id_nobody_can_keep_stops_the_start_where_it_is_named_and_is_left_out_where_it_is_listed()
    {
        var (longest, longer) = (new string('m', ModelInfo.LongestId - "scripted/".Length), new string('n', ModelInfo.LongestId - "scripted/".Length + 1));
        _server.Models = [longest, longer];
        await using var host = await StartAsync();
        Assert.Equal([$"scripted/{longest}", "demo/demo"], (await host.Api.GetModelsAsync(Cancelled)).Select(m => m.Id));
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => StartAsync(("Models:0", longest), ("Models:1", longer)));
        Assert.Contains("Providers:0:Models:1", refused.Message, StringComparison.Ordinal);
    }

    private static Task MinutesPassAsync(FakeTimeProvider time, Func<bool> until) => MinutesPassAsync(time, () => Task.FromResult(until()));

    private static Task MinutesPassAsync(FakeTimeProvider time, Func<Task<bool>> until) => Eventually.TrueAsync(async () =>
    {
        time.Advance(TimeSpan.FromMinutes(1));
        return await until();
    });

    private async Task<GenerationHost> StartAsync(params (string Key, string Value)[] settings) =>
        await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync(), GenerationHost.Settings(_server, settings));

    private async Task<GenerationHost> DiscoverAsync(params string[] targets) => await GenerationHost.StartAsync(
        await postgres.CreateDatabaseAsync(),
        [
            new("Generation:Discovery", "true"),
            .. targets.Select((t, i) => new KeyValuePair<string, string?>($"Generation:DiscoveryTargets:{i}", t)),
        ]);
}
