namespace SevenX42.Contracts.Generation;

/// <summary>A model that draws, and what it can be told. What it can't be told is not offered, and refused when it comes all the same.</summary>
/// <param name="Id"><c>provider/model</c>, unique among the models that draw.</param>
/// <param name="Name">Name for people: the model's name at its provider.</param>
/// <param name="Provider">The provider's name.</param>
/// <param name="IsDemo">Whether this is the built-in demo, which is no image model and must be labelled so.</param>
/// <param name="Sizes">Sizes that it draws, the usual one first; at least one.</param>
/// <param name="MaxCount">Pictures that it draws for one request.</param>
/// <param name="MaxPrompt">Characters of a prompt, UTF-16 code units.</param>
/// <param name="MaxSeed">The greatest seed, the least being 0; <see langword="null"/> where it knows no seeds.</param>
/// <param name="HasNegativePrompt">Whether it can be told what to leave out.</param>
/// <param name="Steps">How many steps it can be told to make; <see langword="null"/> where it decides.</param>
public sealed record ImageModelInfo(
    string Id,
    string Name,
    string Provider,
    bool IsDemo,
    IReadOnlyList<ImageSizeInfo> Sizes,
    int MaxCount,
    int MaxPrompt,
    long? MaxSeed,
    bool HasNegativePrompt,
    ImageStepsInfo? Steps);

/// <summary>A picture's size.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
public sealed record ImageSizeInfo(int Width, int Height);

/// <summary>Numbers of steps that a model takes, both ends included.</summary>
/// <param name="Min">The least.</param>
/// <param name="Max">The most.</param>
/// <param name="Usual">What it takes when nobody says.</param>
public sealed record ImageStepsInfo(int Min, int Max, int Usual);

/// <summary>How pictures are to be drawn.</summary>
/// <param name="Width">Of each, in pixels.</param>
/// <param name="Height">Of each, in pixels.</param>
/// <param name="Count">How many, 1 to 4.</param>
/// <param name="Seed">Where chance begins, for the first of them; <see langword="null"/> for one that is drawn when the job is queued.</param>
/// <param name="NegativePrompt">What to leave out; empty for nothing.</param>
/// <param name="Steps">Steps of each; <see langword="null"/> for what the model usually takes.</param>
public sealed record ImageOptions(int Width, int Height, int Count = 1, long? Seed = null, string NegativePrompt = "", int? Steps = null);

/// <summary>How far the pictures of a generation are. Says everything, so that of several the newest counts.</summary>
/// <param name="Count">How many are drawn.</param>
/// <param name="Done">How many of them are stored.</param>
/// <param name="Width">Of each, in pixels.</param>
/// <param name="Height">Of each, in pixels.</param>
/// <param name="Step">The provider's own steps that are done, over all pictures; never made up.</param>
/// <param name="Steps">Steps in all; 0 where the provider tells none, so that nobody can know how far it is.</param>
/// <param name="Preview">Path-absolute URL of how it looks so far; empty when there is no preview. A newer preview has another URL.</param>
/// <param name="Queue">How many are before it at its provider; <see langword="null"/> when it does not wait there, or nobody knows.</param>
/// <param name="Seconds">How long it has been drawn, in seconds; grows only while there are no steps.</param>
public sealed record ImageProgress(
    int Count, int Done, int Width, int Height, int Step, int Steps, string Preview, int? Queue, int Seconds);
