using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Contracts.Media;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;
using SevenX42.Modules.Media.Infrastructure.Images;
using SevenX42.Modules.Media.Integration;
using SevenX42.Persistence;

namespace SevenX42.Modules.Media;

/// <summary>The Media module.</summary>
public sealed class MediaModule : IModule
{
    internal const string Schema = "media";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<MediaDbContext>(Schema);
        services.AddMediaPipeline();
        services.AddOptions<MediaOptions>()
            .BindConfiguration(MediaOptions.Section)
            .PostConfigure<IConfiguration>(static (options, values) =>
            {
                if (string.IsNullOrWhiteSpace(options.Directory))
                    options.Directory = Path.Combine(values["DataDirectory"] ?? ".data", "media");
            })
            .ValidateDataAnnotations()
            .ValidateOnStart();
        services.AddSingleton<IValidateOptions<MediaOptions>, S3OptionsValidator>();
        services.AddSingleton<IValidateOptions<MediaOptions>, VipsValidator>();
        services.AddSingleton<IncomingFiles>();
        services.AddSingleton<IBlobStore>(static provider => provider.GetRequiredService<IOptions<MediaOptions>>().Value.S3.IsChosen
            ? ActivatorUtilities.CreateInstance<S3BlobStore>(provider)
            : ActivatorUtilities.CreateInstance<FileBlobStore>(provider));
        services.AddScoped<UnreferencedBlobs>();
        services.AddSingleton<ImageProcessor>();
        services.AddSingleton<ModelImages>();
        services.AddSingleton<StoringPlaces>();
        services.AddScoped<AssetIntake>();
        services.AddScoped<LostPictures>();
        services.AddSingleton<BlobSweeper>();
        services.AddHostedService(static provider => provider.GetRequiredService<BlobSweeper>());
        services.AddHostedService<AssetPurge>();
        services.AddScoped<IMediaApi, MediaApi>();
        services.AddIntegrationEventHandler<UserDeleted, UserDeletedHandler>();
        services.AddIntegrationEventHandler<ConversationDeleted, ConversationDeletedHandler>();
        services.AddIntegrationEventHandler<PicturesSent, PicturesSentHandler>();
        services.AddIntegrationEventHandler<GenerationFinished, GenerationFinishedHandler>();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
        var options = routes.ServiceProvider.GetRequiredService<IOptions<MediaOptions>>().Value;
        var assets = routes.MapGroup("/media/assets").RequireAuthorization();
        assets.MapPost("/", UploadAssetEndpoint.Post)
            .WithMetadata(new UploadLimit(options.MaxAssetBytes + UploadAssetEndpoint.Overhead));
        assets.MapMethods("/{assetId:guid}", [HttpMethods.Get, HttpMethods.Head], GetAssetEndpoint.Get);
        assets.MapDelete("/{assetId:guid}", DeleteAssetEndpoint.Delete);
        assets.MapPost("/{assetId:guid}/delete", DeleteAssetEndpoint.Delete);
        assets.MapPost("/{assetId:guid}/restore", RestoreAssetEndpoint.Post);
        routes.MapGet("/images", ListImagesEndpoint.Page).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/images/grid", ListImagesEndpoint.Grid).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/images/{assetId:guid}", ReadImageEndpoint.Get).RequireAuthorization();
    }

    private sealed record UploadLimit(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;
}
