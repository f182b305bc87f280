using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Http;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Features.Catalog;

/// <summary>The models that can be chosen, and the servers they come from.</summary>
internal sealed record ListModels : IGenerationQuery<ModelsVm>;

internal sealed class ListModelsHandler(ProviderRegistry providers) : IRequestHandler<ListModels, Result<ModelsVm>>
{
    public async Task<Result<ModelsVm>> Handle(ListModels request, CancellationToken cancellationToken)
    {
        await providers.WaitUntilKnownAsync(cancellationToken);
        return new ModelsVm(
            [.. providers.Models.Select(m => new ModelVm(m.Id, m.Name, m.Provider, m.ContextTokens, m.IsDemo))],
            [.. providers.Infos.Select(p => new ProviderVm(p.Name, p.State == ProviderInfo.Ready, p.Message, p.ModelCount, p.IsDiscovered))]);
    }
}

internal static class ListModelsEndpoint
{
    public static async Task<IResult> Get(HttpRequest request, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new ListModels(), cancellationToken);
        request.HttpContext.Response.Headers.Append("Vary", "HX-Request");
        request.HttpContext.Response.Headers.CacheControl = "no-store";
        return request.WantsFragment()
            ? Html.Fragment<ModelsView>(new Dictionary<string, object?> { [nameof(ModelsView.Models)] = result.Value })
            : TypedResults.Ok(result.Value);
    }
}
