using FluentValidation;
using MediatR;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Features.Assets;

namespace SevenX42.Modules.Media.Features.Images;

/// <summary>
/// Stores a picture that is sent with something that is not stored yet. Until it is kept it is as good as deleted, so that what is
/// refused, or never sent to its end, goes the way of everything deleted.
/// </summary>
/// <param name="OwnerId">Whose it will be.</param>
/// <param name="Content">Read once; not disposed.</param>
/// <param name="Source">Where it comes from.</param>
internal sealed record HoldSentImage(Guid OwnerId, Stream Content, SentImage Source) : IMediaCommand<Guid>;

internal sealed class HoldSentImageValidator : AbstractValidator<HoldSentImage>
{
    public HoldSentImageValidator()
    {
        RuleFor(i => i.OwnerId).NotEmpty().WithErrorCode("owner_missing");
        RuleFor(i => i.Source.SendingId).NotEmpty().WithErrorCode("sending_missing");
        RuleFor(i => i.Source.Index).GreaterThanOrEqualTo(0).WithErrorCode("sending_missing");
    }
}

internal sealed class HoldSentImageHandler(AssetIntake intake) : IRequestHandler<HoldSentImage, Result<Guid>>
{
    public async Task<Result<Guid>> Handle(HoldSentImage request, CancellationToken cancellationToken)
    {
        var held = await intake.HoldAsync(request.OwnerId, request.Content, request.Source, cancellationToken);
        return held.IsSuccess ? held.Value.Id : held.Error;
    }
}
