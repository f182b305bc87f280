using MediatR;
using Microsoft.AspNetCore.Http;
using SevenX42.Http;
using SevenX42.Modules.Generation.Infrastructure.Providers;

namespace SevenX42.Modules.Generation.Features.Catalog;

/// <summary>Asks every server for its models now, instead of waiting until it is asked by itself.</summary>
internal sealed record LookForModels : IGenerationCommand<ModelsVm>;

internal sealed class LookForModelsHandler(ProviderRefresher providers, ISender sender) : IRequestHandler<LookForModels, Result<ModelsVm>>
{
    public async Task<Result<ModelsVm>> Handle(LookForModels request, CancellationToken cancellationToken)
    {
        await providers.LookAgainAsync(cancellationToken);
        return await sender.Send(new ListModels(), cancellationToken);
    }
}

internal static class LookForModelsEndpoint
{
    public static async Task<IResult> Post(HttpRequest request, ISender sender, CancellationToken cancellationToken)
    {
        var result = await sender.Send(new LookForModels(), cancellationToken);
        return request.WantsFragment() ? ListModelsEndpoint.Page(result.Value)
            : request.WantsPage() ? TypedResults.Redirect("/models")
            : TypedResults.Ok(result.Value);
    }
}
