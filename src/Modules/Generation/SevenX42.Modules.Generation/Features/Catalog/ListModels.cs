using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Features.Catalog;

/// <summary>The models that can be chosen, and the servers they come from.</summary>
internal sealed record ListModels : IGenerationQuery<ModelsVm>;

internal sealed class ListModelsHandler(ProviderRegistry providers, GenerationOptions options) : IRequestHandler<ListModels, Result<ModelsVm>>
{
    public async Task<Result<ModelsVm>> Handle(ListModels request, CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        return new ModelsVm(
            [.. providers.Models.Select(m => new ModelVm(m.Id, m.Name, m.Provider, m.ContextTokens, m.IsDemo, m.Sees))],
            providers.ImageModels,
            [.. providers.Infos.Select(p => new ProviderVm(p.Name, p.State, p.Message, p.ModelCount, SettingsOf(p)))]);
    }

    /// <summary>What the names of a configured server's environment variables begin with.</summary>
    private string SettingsOf(ProviderInfo server) => server.IsDiscovered
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $"Generation__Providers__{options.Providers.FindIndex(p => p.Name == server.Name)}__");
}

internal static class ListModelsEndpoint
{
    public static async Task<IResult> Get(HttpRequest request, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new ListModels(), cancellationToken);
        if (request.WantsFragment() || request.WantsPage())
            return Page(result.Value);
        request.HttpContext.Response.Headers.Append("Vary", "HX-Request");
        request.HttpContext.Response.Headers.CacheControl = "no-store";
        return TypedResults.Ok(result.Value);
    }

    /// <summary>The page that says which models there are, and why others are missing.</summary>
    public static IResult Page(ModelsVm models) =>
        Html.Page<ModelsView>("Models", new Dictionary<string, object?> { [nameof(ModelsView.Models)] = models });
}
