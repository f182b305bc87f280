using System.Text.Json;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>Pictures are wanted.</summary>
internal sealed class ImageRequestedHandler(GenerationDbContext context, JobIntake intake) : JobRequestHandler<ImageRequested>(context, intake)
{
    // Drawn once, when the job is queued, so that whoever takes it over goes on with the same pictures.
    private readonly long _seed = Random.Shared.NextInt64(uint.MaxValue - ImageCapabilities.MostImages);

    protected override GenerationJob JobOf(ImageRequested e)
    {
        var options = new ImageOptions(e.Width, e.Height, e.Count, e.Seed ?? _seed, StreamedText.Clean(e.NegativePrompt), e.Steps);
        return new GenerationJob
        {
            Id = e.GenerationId,
            AnswerId = e.AnswerId,
            ConversationId = e.ConversationId,
            UserId = e.UserId,
            Purpose = "image",
            Channel = e.Channel,
            Subject = e.Subject,
            Provider = ModelId.Parse(e.Model).Provider,
            Model = e.Model,
            Roles = ["user"],
            Contents = [StreamedText.Clean(e.Prompt)],
            Prefix = "",
            Image = JsonSerializer.Serialize(options, ImageJson.Default.ImageOptions),
            Status = GenerationStatus.Queued,
        };
    }
}
