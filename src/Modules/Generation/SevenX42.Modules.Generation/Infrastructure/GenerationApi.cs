using MediatR;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Features.Generations;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Infrastructure;

internal sealed class GenerationApi(IServiceScopeFactory scopes, ProviderRegistry providers) : IGenerationApi
{
    public async ValueTask<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        return providers.Models;
    }

    public async ValueTask<IReadOnlyList<ImageModelInfo>> GetImageModelsAsync(CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        return providers.ImageModels;
    }

    public async ValueTask<Result> CheckImageAsync(string model, string prompt, ImageOptions options, CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        var failure = providers.ImageModels.Any(m => m.Id == model) && providers.FindImages(model) is { } found
            ? found.Model.Capabilities.Check(new ImageRequest(
                found.Model.Model, prompt, new ImageSize(options.Width, options.Height), options.Count, options.Seed, options.NegativePrompt, options.Steps))
            : Failures.UnknownModel(model);
        return failure is null ? Result.Success : Error.Invalid(failure.Code, failure.Message);
    }

    public async ValueTask<IReadOnlyList<ProviderInfo>> GetProvidersAsync(CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        return providers.Infos;
    }

    public async Task<bool> CancelAsync(Guid generationId, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new CancelGeneration(generationId), cancellationToken);
        return result.Value;
    }

    public async Task<IReadOnlyDictionary<Guid, GenerationCheckpoint>> GetCheckpointsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new GetCheckpoints(generationIds), cancellationToken);
        return result.Value;
    }

    public async Task<IReadOnlyDictionary<Guid, IReadOnlyList<Guid>>> GetEndedDrawingsAsync(
        IReadOnlyCollection<Guid> generationIds, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var result = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new GetEndedDrawings(generationIds), cancellationToken);
        return result.Value;
    }
}
