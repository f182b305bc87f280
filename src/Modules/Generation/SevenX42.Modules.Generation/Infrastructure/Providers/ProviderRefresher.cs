using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure.Providers.Demo;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>Keeps the registry up to date: asks configured servers for their models, and looks for local ones.</summary>
internal sealed partial class ProviderRefresher(
    ProviderRegistry registry,
    ModelListing listing,
    LocalServers local,
    ProviderConnections connections,
    GuardedConnections elsewhere,
    ModelSources sources,
    GenerationOptions options,
    DiscoveryDefault discovery,
    TimeProvider time,
    ILogger<ProviderRefresher> logger) : BackgroundService
{
    /// <summary>A safe assumption where nobody says.</summary>
    private const int UnknownContext = 8192;

    /// <summary>OpenAI does not say; its present models have this or more.</summary>
    private const int OpenAIContext = 128_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ConfiguredInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan ConfiguredLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long a start waits for slow servers.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(2);

    /// <summary>Whoever wants everybody asked again sooner gets what was found out just now.</summary>
    private static readonly TimeSpan LookAgainInterval = TimeSpan.FromSeconds(3);

    private readonly Dictionary<string, ProviderStatus> _statuses = new(StringComparer.OrdinalIgnoreCase);
    private readonly Lock _publishing = new();

    /// <summary>One question at a time for each server: an answer that is late would take the place of a newer one.</summary>
    private readonly ConcurrentDictionary<ProviderOptions, SemaphoreSlim> _asking = new();
    private readonly List<ProviderOptions> _local = options.Discovery ?? discovery.Enabled ? LocalServers.Targets(options) : [];
    private CancellationToken _stopping;
    private Task _round = Task.CompletedTask;
    private long? _roundEnded;

    /// <summary>
    /// Asks every server now and waits for what it says, a few seconds at most. Who comes while they are being asked waits for
    /// the same answers.
    /// </summary>
    public Task LookAgainAsync(CancellationToken cancellationToken)
    {
        lock (_publishing)
        {
            if (_round.IsCompleted && (_roundEnded is not { } ended || time.GetElapsedTime(ended) >= LookAgainInterval))
                _round = RoundAsync();
            return _round.WaitAsync(cancellationToken);
        }
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        sources.Check();
        return base.StartAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        _stopping = stoppingToken;

        // Configured servers are known at once, whatever they say about their models.
        foreach (var configured in options.Providers)
            _statuses[configured.Name] = Initial(configured);
        Publish();
        await Task.WhenAll(
        [
            FirstAsync(stoppingToken),
            .. options.Providers.Select(p => RepeatAsync(RefreshAsync, p, ConfiguredInterval, stoppingToken)),
            .. _local.Select(p => RepeatAsync(LookAsync, p, Interval, stoppingToken)),
        ]);
    }

    private async Task FirstAsync(CancellationToken stoppingToken)
    {
        // A server whose models are named is asked only for what is wrong with it, which nobody has to wait for.
        var named = Task.WhenAll(options.Providers.Where(p => p.Models.Count > 0).Select(p => AskAsync(RefreshAsync, p)));
        await Task.WhenAll(
            [
                .. options.Providers.Where(p => p.Models.Count == 0).Select(p => AskAsync(RefreshAsync, p)),
                .. _local.Select(p => AskAsync(LookAsync, p)),
            ])
            .WaitAsync(StartLimit, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        registry.Known();
        await named;
    }

    private async Task RepeatAsync(Func<ProviderOptions, Task> ask, ProviderOptions server, TimeSpan interval, CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                await AskAsync(ask, server);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The end.
        }
    }

    private async Task RoundAsync()
    {
        local.AskAnew();
        await Task.WhenAll([.. options.Providers.Select(p => AskAsync(RefreshAsync, p)), .. _local.Select(p => AskAsync(LookAsync, p))]);
        lock (_publishing)
            _roundEnded = time.GetTimestamp();
    }

    /// <summary>Asks one server. A fault is logged, shown and survived: a server that nobody asks any more would look all right for ever.</summary>
    private async Task AskAsync(Func<ProviderOptions, Task> ask, ProviderOptions server)
    {
        var turn = _asking.GetOrAdd(server, _ => new SemaphoreSlim(1));
        await turn.WaitAsync(CancellationToken.None);
        try
        {
            await ask(server);
        }
        catch (Exception) when (_stopping.IsCancellationRequested)
        {
            // The end.
        }
        catch (Exception e)
        {
            LogFault(logger, e, server.Name);
            if (Find(server.Name) is { } known)
                Set(known with { Failure = ErrorsOf(server).NotAsked, IsAsked = true });
        }
        finally
        {
            turn.Release();
        }
    }

    private async Task RefreshAsync(ProviderOptions configured)
    {
        if (configured.Kind != ProviderKind.OpenAI)
        {
            await RefreshImagesAsync(Find(configured.Name)!, ConfiguredLimit);
            return;
        }

        var list = await FetchAsync(configured, ConfiguredLimit);
        var before = Find(configured.Name)!;
        if (list.Failure is { } failure)
        {
            // What was known stays: a server may serve although its list does not come. Where the models are named, it is no
            // fault that there is no list of them, or not for this key.
            var forgiven = configured.Models.Count > 0 && failure.Code is ("provider_not_found" or "provider_malformed" or "provider_forbidden");
            Set(before with { Failure = forgiven ? null : failure, IsAsked = true });
            return;
        }

        // Its windows may be others elsewhere; what its models are is the same.
        var described = await local.DescribeAsync(configured, list.Models, _stopping);
        var models = list.Models.Zip(described, (said, known) => said with { Sees = known.Sees }).ToList();
        Set(before with
        {
            Models = Offer(configured, models),
            ImageModels = OfferImages(configured, models),
            Failure = null,
            IsAsked = true,
        }, list.Api!);
    }

    /// <summary>Asks a server that only draws.</summary>
    private async Task RefreshImagesAsync(ProviderStatus known, TimeSpan limit)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(_stopping);
        timeout.CancelAfter(limit);
        var options = known.Options;
        try
        {
            var listed = known.Draws is WebUIProvider webUI
                ? await webUI.ListModelsAsync(timeout.Token)
                : await ((ComfyUIProvider)known.Draws).ListModelsAsync(timeout.Token);
            Set(known with
            {
                ImageModels = options.Models.Count == 0 ? listed : [.. options.Models.Select(id => listed.FirstOrDefault(m => m.Model == id) ?? Named(options, id))],
                Failure = null,
                IsAsked = true,
            });
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested && !_stopping.IsCancellationRequested)
        {
            Fail(ErrorsOf(options).SilentAbout(limit));
        }
        catch (Exception e) when (!_stopping.IsCancellationRequested && e is ProviderFault or HttpRequestException or IOException or OperationCanceledException)
        {
            Fail(known.Draws.Explain(e, ""));
        }

        void Fail(GenerationFailure failure)
        {
            // A server that was looked for and never found is none.
            if (!known.IsDiscovered)
                Set(known with { Failure = failure, IsAsked = true });
            else if (Find(options.Name) is not null)
                Set(known with { Failure = failure });
        }
    }

    private async Task LookAsync(ProviderOptions target)
    {
        if (target.Kind != ProviderKind.OpenAI)
        {
            await RefreshImagesAsync(Find(target.Name) ?? Initial(target) with { IsDiscovered = true }, LocalServers.Limit);
            return;
        }

        var list = await FetchAsync(target, LocalServers.Limit);
        if (list.Failure is { } failure)
        {
            // Once found, it stays known: what it was asked is then refused in so many words.
            if (Find(target.Name) is { } gone)
                Set(gone with { Models = [], Failure = failure });
            return;
        }

        var models = await local.DescribeAsync(target, list.Models, _stopping);
        var known = Find(target.Name) ?? Initial(target) with { IsDiscovered = true };
        Set(known with
        {
            Models = Offer(target, models),
            ImageModels = OfferImages(target, models),
            Failure = null,
            IsAsked = true,
        }, list.Api!);
    }

    private Task<ModelList> FetchAsync(ProviderOptions target, TimeSpan limit) =>
        listing.FetchAsync(target, limit, ErrorsOf(target), _stopping);

    private ProviderErrors ErrorsOf(ProviderOptions server) => new(server.Name, server.ApiKey, time);

    private ProviderStatus Initial(ProviderOptions configured)
    {
        var isOpenAI = configured.Kind == ProviderKind.OpenAI;
        var api = isOpenAI ? ModelListing.Candidates(configured.BaseUrl)[0] : new Uri(configured.BaseUrl);
        IImageProvider draws = configured.Kind switch
        {
            ProviderKind.WebUI => new WebUIProvider(configured, connections.Handler, time),
            ProviderKind.ComfyUI => new ComfyUIProvider(configured, connections.Handler, time),
            _ => new OpenAIImageProvider(configured, api, connections.Handler, elsewhere.Handler, time),
        };
        return new ProviderStatus(
            configured,
            IsDiscovered: false,
            api,
            isOpenAI ? new OpenAIProvider(configured, api, connections.Handler, time) : null,
            draws,
            isOpenAI ? Offer(configured, []) : [],
            isOpenAI ? OfferImages(configured, []) : [.. configured.Models.Select(id => Named(configured, id))],
            Failure: null,
            IsAsked: false);
    }

    /// <summary>The configured models that draw, or else those of OpenAI that the server has.</summary>
    private static List<ImageModel> OfferImages(ProviderOptions configured, IReadOnlyList<ListedModel> listed)
    {
        IEnumerable<string> ids = configured.ImageModels.Count > 0
            ? configured.ImageModels
            : listed.Select(m => m.Id).Where(ModelListing.IsForImages).Distinct().Order(StringComparer.OrdinalIgnoreCase);
        return [.. ids.Select(id => Named(configured, id))];
    }

    /// <summary>A model of which only the name is known.</summary>
    private static ImageModel Named(ProviderOptions configured, string id) => new(id, id, configured.Kind switch
    {
        ProviderKind.WebUI => WebUIProvider.Capabilities,
        ProviderKind.ComfyUI => ComfyUIProvider.Capabilities,
        _ => OpenAIImageProvider.For(id),
    });

    /// <summary>The configured models, or else all of the server's that are for chat.</summary>
    private static List<ModelInfo> Offer(ProviderOptions configured, IReadOnlyList<ListedModel> listed)
    {
        var contexts = listed.Where(m => m.ContextTokens is not null).GroupBy(m => m.Id).ToDictionary(g => g.Key, g => g.First().ContextTokens!.Value);
        var sight = listed.Where(m => m.Sees is not null).GroupBy(m => m.Id).ToDictionary(g => g.Key, g => g.First().Sees);
        IEnumerable<string> ids = configured.Models.Count > 0
            ? configured.Models
            : listed.Select(m => m.Id).Where(ModelListing.IsForChat).Distinct().Order(StringComparer.OrdinalIgnoreCase);
        return [.. ids.Select(id => new ModelInfo($"{configured.Name}/{id}", id, configured.Name, Context(id), IsDemo: false, configured.Vision ?? sight.GetValueOrDefault(id)))];

        // What a local server runs a model with is truer than what is assumed of it; what an administrator says is truest.
        int Context(string id) =>
            (contexts.TryGetValue(id, out var said) ? said : (int?)null) is { } own && configured.Name is "ollama" ? own
            : configured.ContextTokens
                ?? (contexts.TryGetValue(id, out said) ? said
                    : new Uri(configured.BaseUrl).Host == "api.openai.com" ? OpenAIContext : UnknownContext);
    }

    private ProviderStatus? Find(string name)
    {
        lock (_publishing)
            return _statuses.GetValueOrDefault(name);
    }

    private void Set(ProviderStatus status, Uri api) => Set(status.Api == api ? status : status with
    {
        Api = api,
        Writes = new OpenAIProvider(status.Options, api, connections.Handler, time),
        Draws = new OpenAIImageProvider(status.Options, api, connections.Handler, elsewhere.Handler, time),
    });

    private void Set(ProviderStatus status)
    {
        lock (_publishing)
        {
            var before = _statuses.GetValueOrDefault(status.Options.Name);
            _statuses[status.Options.Name] = status;
            Publish();
            if (before?.Failure?.Code == status.Failure?.Code && before?.Count == status.Count)
                return;
        }

        if (status.Failure is { } failure)
            LogUnavailable(logger, status.Options.Name, failure.Code);
        else
            LogReady(logger, status.Options.Name, status.Api, status.Count);
    }

    private void Publish()
    {
        lock (_publishing)
        {
            List<IModelProvider> providers = [.. _statuses.Values.Select(s => s.Writes).OfType<IModelProvider>()];
            List<ModelInfo> models = [.. _statuses.Values.SelectMany(s => s.Models)];
            List<DrawingModel> images =
                [.. _statuses.Values.SelectMany(s => s.ImageModels.Select(m => new DrawingModel(s.Draws, m, s.OffersImages)))];
            if (options.Demo)
            {
                providers.Add(new DemoProvider(options.DemoTokensPerSecond, time));
                models.Add(DemoProvider.Model);
                images.Add(new DrawingModel(new DemoImageProvider(options.DemoStepsPerSecond, time), DemoImageProvider.Model, IsOffered: true));
            }

            registry.Set(providers, models, images, [.. _statuses.Values.Select(s => s.Info)]);
        }
    }

    [LoggerMessage(1, LogLevel.Information, "Provider {Provider} at {Api} has {Count} models")]
    private static partial void LogReady(ILogger logger, string provider, Uri api, int count);

    [LoggerMessage(2, LogLevel.Warning, "Provider {Provider} is not available now: {Code}")]
    private static partial void LogUnavailable(ILogger logger, string provider, string code);

    [LoggerMessage(3, LogLevel.Error, "Asking provider {Provider} for its models threw; it is asked again")]
    private static partial void LogFault(ILogger logger, Exception exception, string provider);
}

/// <summary>Whether local servers are looked for when nothing is configured.</summary>
internal sealed record DiscoveryDefault(bool Enabled);
