using System.Text;
using FluentValidation;
using MediatR;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Features.Assets;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>Stores a picture that a model made, once for each picture of a job.</summary>
/// <param name="OwnerId">Whose it will be.</param>
/// <param name="Content">Read once; not disposed.</param>
/// <param name="Provenance">Where it comes from.</param>
internal sealed record StoreGeneratedImage(Guid OwnerId, Stream Content, ImageProvenance Provenance) : IMediaCommand<AssetInfo>;

internal sealed class StoreGeneratedImageValidator : AbstractValidator<StoreGeneratedImage>
{
    public StoreGeneratedImageValidator()
    {
        RuleFor(i => i.OwnerId).NotEmpty().WithErrorCode("owner_missing");
        RuleFor(i => i.Provenance.JobId).NotEmpty().WithErrorCode("job_missing");
        RuleFor(i => i.Provenance.Index).GreaterThanOrEqualTo(0).WithErrorCode("job_missing");
        RuleFor(i => i.Provenance.Prompt).MaximumLength(ImageProvenance.LongestPrompt).WithErrorCode("prompt_too_long");
        RuleFor(i => i.Provenance.NegativePrompt).MaximumLength(ImageProvenance.LongestPrompt).WithErrorCode("prompt_too_long");
        RuleFor(i => i.Provenance.Model).MaximumLength(ImageProvenance.LongestModel).WithErrorCode("model_too_long");
    }
}

internal sealed class StoreGeneratedImageHandler(AssetIntake intake) : IRequestHandler<StoreGeneratedImage, Result<AssetInfo>>
{
    // What it is saved as; the prompt is shown where it is looked at.
    private const string FileName = "picture.png";

    public async Task<Result<AssetInfo>> Handle(StoreGeneratedImage request, CancellationToken cancellationToken)
    {
        var stored = await intake.StoreAsync(request.OwnerId, FileName, request.Content, Stored(request.Provenance), cancellationToken);
        return stored.IsSuccess ? AssetUrls.Describe(stored.Value) : stored.Error;
    }

    private static ImageProvenance Stored(ImageProvenance provenance) => provenance with
    {
        Prompt = Text(provenance.Prompt),
        NegativePrompt = provenance.NegativePrompt is { } negative ? Text(negative) : null,
        Model = provenance.Model is { } model ? Text(model) : null,
    };

    // PostgreSQL has no room for the character 0, and half a pair of surrogates is none.
    private static string Text(string said)
    {
        var text = new StringBuilder(said.Length);
        foreach (var rune in said.EnumerateRunes())
        {
            if (rune.Value != 0)
                text.Append(rune.ToString());
        }

        return text.ToString();
    }
}
