using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Infrastructure;

namespace SevenX42.Modules.Generation.Integration;

/// <summary>An answer is wanted.</summary>
internal sealed class AnswerRequestedHandler(GenerationDbContext context, JobIntake intake) : JobRequestHandler<AnswerRequested>(context, intake)
{
    // PostgreSQL can't hold every text that JSON can.
    protected override GenerationJob JobOf(AnswerRequested e) => new()
    {
        Id = e.GenerationId,
        AnswerId = e.AnswerId,
        ConversationId = e.ConversationId,
        UserId = e.UserId,
        Purpose = e.Purpose,
        Channel = e.Channel,
        Subject = e.Subject,
        Provider = ModelId.Parse(e.Model).Provider,
        Model = e.Model,
        Roles = [.. e.Roles],
        Contents = [.. e.Contents.Select(StreamedText.Clean)],
        Prefix = StreamedText.Clean(e.Prefix),
        ReasoningPrefix = StreamedText.Clean(e.ReasoningPrefix),
        Status = GenerationStatus.Queued,
    };
}
