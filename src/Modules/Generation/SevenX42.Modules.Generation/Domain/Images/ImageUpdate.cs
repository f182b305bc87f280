namespace SevenX42.Modules.Generation.Domain.Images;

/// <summary>
/// What a provider tells while it draws. In order: any number of <see cref="ImageQueued"/>, then <see cref="ImageStep"/>,
/// <see cref="ImagePreview"/> and <see cref="ImageResult"/> mixed; the last is the last picture or <see cref="ImageFailed"/>.
/// </summary>
internal abstract record ImageUpdate;

/// <summary>The provider has taken the request and does something else first.</summary>
/// <param name="Position">How many are before it at the provider; <see langword="null"/> where it does not say.</param>
internal sealed record ImageQueued(int? Position) : ImageUpdate;

/// <summary>The provider's own progress, over all pictures of the request; never made up. A provider that reports none sends none.</summary>
/// <param name="Step">Steps done, from 0; never falls.</param>
/// <param name="Steps">Steps in all, at least 1.</param>
internal sealed record ImageStep(int Step, int Steps) : ImageUpdate;

/// <summary>How a picture looks so far.</summary>
/// <param name="Index">Which picture, from 0.</param>
/// <param name="Bytes">The encoded picture, usually smaller than the result.</param>
/// <param name="MediaType">As found in the bytes.</param>
internal sealed record ImagePreview(int Index, ReadOnlyMemory<byte> Bytes, string MediaType) : ImageUpdate;

/// <summary>A picture that is done.</summary>
/// <param name="Index">Which picture, from 0; each comes once.</param>
/// <param name="Bytes">The encoded picture, as the provider sent it: not trusted.</param>
/// <param name="MediaType">As found in the bytes.</param>
/// <param name="Seed">The seed that it was made with, where the provider knows seeds.</param>
internal sealed record ImageResult(int Index, ReadOnlyMemory<byte> Bytes, string MediaType, long? Seed) : ImageUpdate;

/// <summary>It went wrong; nothing follows. Pictures that came before are whole.</summary>
/// <param name="Failure">What went wrong, in the reader's words.</param>
internal sealed record ImageFailed(GenerationFailure Failure) : ImageUpdate;
