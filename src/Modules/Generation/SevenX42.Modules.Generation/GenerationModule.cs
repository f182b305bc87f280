using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Features.Catalog;
using SevenX42.Modules.Generation.Features.Images;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Images;
using SevenX42.Modules.Generation.Infrastructure.Jobs;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;
using SevenX42.Modules.Generation.Infrastructure.Work;
using SevenX42.Modules.Generation.Integration;
using SevenX42.Persistence;
using SevenX42.Realtime;

namespace SevenX42.Modules.Generation;

/// <summary>The Generation module: queued jobs, the workers that run them, and the providers that answer.</summary>
public sealed class GenerationModule : IModule
{
    internal const string Schema = "generation";

    /// <summary>Configuration key by which the Host says that it runs its own database: one machine, one process.</summary>
    private const string EmbeddedKey = "Embedded";

    /// <summary>The framework's own key.</summary>
    private const string ShutdownKey = "shutdownTimeoutSeconds";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        var embedded = configuration.GetValue<bool>(EmbeddedKey);
        services.AddModuleDbContext<GenerationDbContext>(Schema);
        services.AddGenerationPipeline();
        services.AddOptions<GenerationOptions>()
            .Bind(configuration.GetSection(GenerationOptions.Section))
            .ValidateDataAnnotations()
            .ValidateOnStart();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<GenerationOptions>>().Value);
        services.TryAddSingleton(new AppRoleContext(AppRole.All));
        services.AddSingleton<IGenerationApi, GenerationApi>();
        AddWork(services, embedded);
        AddProviders(services, embedded);
        services.AddScoped<JobIntake>();
        services.AddIntegrationEventHandler<AnswerRequested, AnswerRequestedHandler>();
        services.AddIntegrationEventHandler<AnswerToPicturesRequested, AnswerToPicturesRequestedHandler>();
        services.AddIntegrationEventHandler<ImageRequested, ImageRequestedHandler>();
        services.AddIntegrationEventHandler<UserDeleted, UserDeletedHandler>();
        services.AddIntegrationEventHandler<ConversationDeleted, ConversationDeletedHandler>();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
        // Whoever may see the page where a model is chosen may know why one is missing; whoever has servers asked is somebody.
        routes.MapGet("/models", ListModelsEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapPost("/models/look", LookForModelsEndpoint.Post).RequireAuthorization();
        routes.MapGet("/images/{generationId:guid}/preview", GetPreviewEndpoint.Get).RequireAuthorization();
    }

    private static void AddWork(IServiceCollection services, bool embedded)
    {
        services.AddMetrics();
        // A stop in all: with nothing to drain 20 seconds, within what orchestrators allow; unless somebody says how long.
        services.AddOptions<HostOptions>().Configure<GenerationOptions, IConfiguration>((host, generation, configuration) =>
        {
            if (configuration[ShutdownKey] is null)
                host.ShutdownTimeout = generation.DrainTime + (GenerationWorker.HandOverLimit * 2);
        });
        services.AddSingleton(provider => WorkerIdentity.From(provider.GetRequiredService<GenerationOptions>(), embedded));
        services.AddSingleton<WorkerName>();
        services.AddSingleton<JobStore>();
        services.AddSingleton<WorkSignal>();
        services.AddSingleton<RunningGenerations>();
        services.AddSingleton<GenerationMetrics>();
        services.AddSingleton<Announcements>();
        services.AddSingleton<PictureStore>();
        services.AddSingleton<PreviewStore>();
        services.AddSingleton<ShownPictures>();
        services.AddSingleton<IChannelKind, ImageChannel>();
        services.AddSingleton<AttemptServices>();
        services.AddSingleton<LeaseKeeper>();
        services.AddSingleton<QueueAnnouncer>();
        services.AddSingleton<JobSweeper>();
        services.AddSingleton<JobNotifications>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<JobNotifications>());
        services.AddSingleton<GenerationWorker>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<GenerationWorker>());
    }

    private static void AddProviders(IServiceCollection services, bool embedded)
    {
        services.AddSingleton(new DiscoveryDefault(embedded));
        services.AddSingleton<ModelSources>();
        services.AddSingleton<ProviderRegistry>();
        services.AddSingleton<ProviderConnections>();
        services.AddSingleton<GuardedConnections>();
        services.AddSingleton<ModelListing>();
        services.AddSingleton<LocalServers>();
        services.AddSingleton<ProviderRefresher>();
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredService<ProviderRefresher>());
    }
}
