using Microsoft.AspNetCore.Http;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Media;
using SevenX42.Http;

namespace SevenX42.Modules.Chat.Features.Messages;

/// <summary>Pictures that people send with a message: stored before it, held back until it is.</summary>
internal sealed class SentPictures(IMediaApi media, ICurrentUser user)
{
    /// <summary>Pictures of a message.</summary>
    public const int Most = 4;

    /// <summary>Name of the form's field.</summary>
    public const string Field = "pictures";

    /// <summary>What a file chooser offers.</summary>
    public const string Accepted = "image/png,image/jpeg,image/webp,image/gif,image/avif";

    /// <summary>What a multipart body holds besides the pictures.</summary>
    private const int Overhead = 1024 * 1024;

    /// <summary>How many may be sent and how large they may be, in a sentence.</summary>
    public string Limits => LimitsOf(media.MaxBytes);

    /// <inheritdoc cref="Limits"/>
    public static string LimitsOf(long maxBytes) => $"Attach at most {Most} pictures (PNG, JPEG, WebP, GIF or AVIF) of at most {Size(maxBytes)} each.";

    /// <summary>Largest body of a form with pictures, in bytes.</summary>
    public static long LargestForm(long maxBytes) => (Most * maxBytes) + Overhead;

    /// <summary>Whether a model can be asked about so many pictures.</summary>
    public static Error? Check(ModelInfo model, int pictures) => pictures > 0 && model.Sees == false
        ? Error.Invalid("model_sees_nothing", $"{model.Name} can't see pictures. Choose another model, or send without them.", "model")
        : null;

    /// <summary>Stores the pictures, held back.</summary>
    /// <param name="sendingId">The same for whatever is the same message, sent again.</param>
    /// <param name="pictures">The pictures.</param>
    /// <param name="cancellationToken">Nobody waits any more.</param>
    /// <returns>Their ids, or what is wrong with one of them.</returns>
    public async Task<Result<IReadOnlyList<Guid>>> HoldAsync(Guid sendingId, IReadOnlyList<IFormFile> pictures, CancellationToken cancellationToken)
    {
        if (pictures.Count > Most || pictures.Any(p => p.Length > media.MaxBytes))
            return Error.Invalid("too_many_pictures", Limits, Field);
        var ids = new List<Guid>();
        foreach (var picture in pictures)
        {
            await using var content = picture.OpenReadStream();
            var held = await media.HoldAsync(user.RequiredId, content, new SentImage(sendingId, ids.Count, picture.FileName), cancellationToken);
            if (!held.IsSuccess)
                return held.Error with { Message = pictures.Count == 1 ? held.Error.Message : $"{picture.FileName}: {held.Error.Message}", Field = Field };
            ids.Add(held.Value);
        }

        return ids;
    }

    /// <summary>Keeps them: the message is about to be stored.</summary>
    public async Task<Result> KeepAsync(IReadOnlyList<Guid> pictures, Guid conversationId, CancellationToken cancellationToken) => pictures.Count == 0
        ? Result.Success
        : await media.KeepAsync(user.RequiredId, pictures, conversationId, cancellationToken);

    private static string Size(long bytes) => bytes switch
    {
        >= 1L << 20 => $"{bytes >> 20} MB",
        >= 1L << 10 => $"{bytes >> 10} KB",
        _ => $"{bytes} bytes",
    };
}
