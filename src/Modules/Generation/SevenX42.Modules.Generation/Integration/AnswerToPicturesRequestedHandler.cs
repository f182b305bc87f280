using System.Text.Json;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>An answer is wanted that looks at pictures.</summary>
internal sealed class AnswerToPicturesRequestedHandler(GenerationDbContext context, JobIntake intake)
    : JobRequestHandler<AnswerToPicturesRequested>(context, intake)
{
    protected override GenerationJob JobOf(AnswerToPicturesRequested e) => new()
    {
        Id = e.GenerationId,
        AnswerId = e.AnswerId,
        ConversationId = e.ConversationId,
        UserId = e.UserId,
        Purpose = "answer",
        Channel = e.Channel,
        Subject = e.Subject,
        Provider = ModelId.Parse(e.Model).Provider,
        Model = e.Model,
        Roles = [.. e.Roles],
        Contents = [.. e.Contents.Select(StreamedText.Clean)],
        Pictures = JsonSerializer.Serialize(e.Pictures),
        Prefix = StreamedText.Clean(e.Prefix),
        ReasoningPrefix = StreamedText.Clean(e.ReasoningPrefix),
        Status = GenerationStatus.Queued,
    };
}
