using System.Runtime.CompilerServices;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>The built-in demo of pictures: no image model, always there, and it says so in each of them.</summary>
/// <param name="stepsPerSecond">Its pace, which is no faster than one can see.</param>
/// <param name="time">The clock.</param>
internal sealed class DemoImageProvider(double stepsPerSecond, TimeProvider time) : IImageProvider
{
    /// <summary>Not the name of the demo that writes: each has its own limit.</summary>
    public const string ProviderName = "demo-images";

    private const string MediaType = "image/png";

    /// <summary>Pixels of a preview's shorter side at least.</summary>
    private const int PreviewSide = 128;

    public static ImageModel Model { get; } = new(
        "demo",
        "Demo (not an image model)",
        new ImageCapabilities(
            [new(512, 512), new(768, 512), new(512, 768)],
            ImageCapabilities.MostImages,
            MaxPrompt: 10_000,
            MaxSeed: uint.MaxValue,
            HasNegativePrompt: false,
            new StepRange(1, 50, 20),
            ReportsSteps: true,
            HasPreviews: true),
        IsDemo: true);

    public string Name => ProviderName;

    public ProviderLimits Limits { get; } = new(
        MaxConcurrent: 100,
        FirstToken: TimeSpan.FromSeconds(30),
        Idle: TimeSpan.FromSeconds(30),
        Total: TimeSpan.FromMinutes(10),
        MaxOutputCharacters: 1,
        Retry: new RetryPolicy(1, TimeSpan.Zero, TimeSpan.Zero));

    public async IAsyncEnumerable<ImageUpdate> GenerateAsync(
        ImageRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var steps = request.Steps ?? Model.Capabilities.Steps!.Value.Usual;
        var seed = request.Seed ?? 0;
        var pace = TimeSpan.FromSeconds(1 / stepsPerSecond);
        var started = time.GetTimestamp();
        var shrink = Math.Max(1, Math.Min(request.Size.Width, request.Size.Height) / PreviewSide);
        var done = 0;
        yield return new ImageStep(0, steps * request.Count);
        for (var i = 0; i < request.Count; i++)
        {
            var picture = new DemoPicture(request.Prompt, seed + i, request.Size, steps);
            while (picture.Step < steps)
            {
                cancellationToken.ThrowIfCancellationRequested();
                picture.Advance();

                // By the clock, not by the step, so that late timers don't add up.
                var early = (pace * ++done) - time.GetElapsedTime(started);
                if (early > TimeSpan.Zero)
                    await Task.Delay(early, time, cancellationToken);
                yield return new ImageStep(done, steps * request.Count);
                if (picture.Step < steps)
                    yield return new ImagePreview(i, picture.Encode(shrink), MediaType);
            }

            yield return new ImageResult(i, picture.Encode(), MediaType, seed + i);
        }
    }

    public GenerationFailure Explain(Exception exception, string model) => Failures.Unexpected;
}
