using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Images;

/// <summary>
/// A server with the API of the Stable Diffusion WebUI (AUTOMATIC1111, and after it Forge and SD.Next), started with <c>--api</c>.
/// <para>
/// The picture is the answer of one long request; progress is asked for beside it. The server works on one request at a time and
/// goes on when its connection is closed; its interrupt stops whatever it is working on, whosever that is. So the request is given
/// an id (<c>force_task_id</c>), and where the server tells which id it works on (<c>/internal/progress</c>), nobody else's work is
/// interrupted or shown. Fields: https://github.com/AUTOMATIC1111/stable-diffusion-webui, modules/api/api.py, modules/api/models.py,
/// modules/progress.py, modules/shared_state.py.
/// </para>
/// </summary>
/// <param name="options">Its configuration. A key with a colon is a user and a password, as <c>--api-auth</c> has them.</param>
/// <param name="http">The connections to configured servers.</param>
/// <param name="time">The clock.</param>
internal sealed class WebUIProvider(ProviderOptions options, HttpMessageHandler http, TimeProvider time) : IImageProvider
{
    /// <summary>What a step takes on a fast card.</summary>
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>How long it may take to say how far it is.</summary>
    private static readonly TimeSpan PollLimit = TimeSpan.FromSeconds(5);

    /// <summary>How long stopping may take before the server is left to itself.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(2);

    private readonly ProviderErrors _errors = new(options.Name, options.ApiKey, time);
    private readonly ImageServer _server = new(
        new Uri(options.BaseUrl), Key(options.ApiKey), http, new ProviderErrors(options.Name, options.ApiKey, time), ReadError);

    /// <summary>What all its models can be told: any multiple of 8 works, these are what models are trained on.</summary>
    public static ImageCapabilities Capabilities { get; } = new(
        [new(512, 512), new(768, 512), new(512, 768), new(1024, 1024), new(1216, 832), new(832, 1216)],
        ImageCapabilities.MostImages,
        MaxPrompt: 10_000,
        MaxSeed: uint.MaxValue,
        HasNegativePrompt: true,
        new StepRange(1, 150, 20),
        ReportsSteps: true,
        HasPreviews: true);

    public string Name => options.Name;

    public ProviderLimits Limits { get; } = ProviderLimits.OfImages(options);

    public GenerationFailure Explain(Exception exception, string model) => _errors.Explain(exception, model);

    /// <summary>Its checkpoints, by the titles that <c>override_settings.sd_model_checkpoint</c> takes.</summary>
    public async Task<IReadOnlyList<ImageModel>> ListModelsAsync(CancellationToken cancellationToken)
    {
        using var document = await _server.AskAsync(HttpMethod.Get, "sdapi/v1/sd-models", null, "", cancellationToken);
        if (document.RootElement.ValueKind != JsonValueKind.Array)
            throw new ProviderFault(_errors.Malformed);
        return [.. document.RootElement.EnumerateArray()
            .Select(m => (Title: Text(m, "title"), Name: Text(m, "model_name")))
            .Where(m => m.Title.Length > 0)
            .Select(m => new ImageModel(m.Title, m.Name.Length > 0 ? m.Name : m.Title, Capabilities))];
    }

    public async IAsyncEnumerable<ImageUpdate> GenerateAsync(
        ImageRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var task = string.Create(CultureInfo.InvariantCulture, $"task({Guid.CreateVersion7(time.GetUtcNow()):n})");
        using var closing = new CancellationTokenSource();
        using var polling = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var drawing = _server.AskAsync(HttpMethod.Post, "sdapi/v1/txt2img", Body(request, task), request.Model, closing.Token);
        try
        {
            var (isOurs, queued, unknown, preview) = (false, false, 0, "");
            var seen = default(Progress);
            while (!await IsOverAsync(drawing, cancellationToken))
            {
                var poll = PollAsync(isOurs ? null : task, polling.Token);
                await Task.WhenAny(drawing, poll);
                if (drawing.IsCompleted)
                    break;
                switch (await poll)
                {
                    case { Place: Place.Queued } when !queued:
                        queued = true;
                        yield return new ImageQueued(null);
                        break;

                    // It may be on its way only, and what is to be seen somebody else's.
                    case { Place: Place.Unknown } when unknown++ < 2:
                        break;
                    case { Place: not Place.Queued, Steps: > 0 } progress:
                        (isOurs, seen) = (progress.Place == Place.Active, progress);
                        yield return new ImageStep(progress.Step, progress.Steps);
                        if (progress.Preview is { } shown && shown != preview)
                        {
                            preview = shown;
                            if (Decode(shown) is { } bytes)
                                yield return new ImagePreview(progress.Index, bytes, "");
                        }

                        break;
                }
            }

            using var answer = await drawing;

            // Interrupted, the server answers with what there is, as if it were done.
            if (seen.IsInterrupted || await PollAsync(null, cancellationToken) is { IsInterrupted: true, Steps: 0 })
                throw new ProviderFault(ImageFailures.Stopped(options.Name));
            foreach (var result in ReadResults(answer.RootElement, request))
                yield return result;
        }
        finally
        {
            await polling.CancelAsync();
            if (!drawing.IsCompleted)
                await StopAsync(drawing, task);
            await closing.CancelAsync();
        }
    }

    private static JsonObject Body(ImageRequest request, string task)
    {
        var body = new JsonObject
        {
            ["prompt"] = request.Prompt,
            ["negative_prompt"] = request.NegativePrompt,
            ["width"] = request.Size.Width,
            ["height"] = request.Size.Height,

            // One after the other, so that four need no more memory than one. Picture i has the seed plus i.
            ["n_iter"] = request.Count,
            ["batch_size"] = 1,
            ["seed"] = request.Seed ?? -1,
            ["steps"] = request.Steps ?? Capabilities.Steps!.Value.Usual,
            ["send_images"] = true,
            ["save_images"] = false,
            ["force_task_id"] = task,
        };
        if (request.Model.Length > 0)
            body["override_settings"] = new JsonObject { ["sd_model_checkpoint"] = request.Model };
        return body;
    }

    /// <summary>Waits for the next look.</summary>
    private async Task<bool> IsOverAsync(Task drawing, CancellationToken cancellationToken)
    {
        using var look = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(drawing, Task.Delay(PollInterval, time, look.Token));
        cancellationToken.ThrowIfCancellationRequested();
        await look.CancelAsync();
        return drawing.IsCompleted;
    }

    /// <summary>How far it is; <see langword="null"/> when it does not say, which is no reason to give up: the request itself tells.</summary>
    /// <param name="task">The task that has to be the one it works on; <see langword="null"/> when that is known.</param>
    /// <param name="cancellationToken">Stops asking.</param>
    private async Task<Progress?> PollAsync(string? task, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(PollLimit, time);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            var place = task is null ? Place.Active : await FindAsync(task, stop.Token);
            if (place == Place.Queued)
                return new Progress(place, false, 0, 0, 0, null);
            using var document = await _server.AskAsync(HttpMethod.Get, "sdapi/v1/progress", null, "", stop.Token);
            return ReadProgress(document.RootElement, place);
        }
        catch (Exception e) when (e is ProviderFault or HttpRequestException or IOException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Where a task is. A server that does not take its id does not know it.</summary>
    private async Task<Place> FindAsync(string task, CancellationToken cancellationToken)
    {
        try
        {
            var body = new JsonObject { ["id_task"] = task, ["id_live_preview"] = -1, ["live_preview"] = false };
            using var document = await _server.AskAsync(HttpMethod.Post, "internal/progress", body, "", cancellationToken);
            return Is(document.RootElement, "active") ? Place.Active : Is(document.RootElement, "queued") ? Place.Queued : Place.Unknown;
        }
        catch (ProviderFault)
        {
            return Place.Unknown;
        }
    }

    /// <summary>
    /// Interrupts the drawing. A request that has only just come is not begun yet, and beginning forgets an interrupt, so this goes on
    /// until the request is answered.
    /// </summary>
    private async Task StopAsync(Task drawing, string task)
    {
        using var limit = new CancellationTokenSource(StopLimit, time);
        try
        {
            while (!drawing.IsCompleted)
            {
                if (await FindAsync(task, limit.Token) != Place.Queued)
                    (await _server.SendAsync(HttpMethod.Post, "sdapi/v1/interrupt", null, "application/json", "", limit.Token)).Dispose();
                await IsOverAsync(drawing, limit.Token);
            }
        }
        catch (Exception e) when (e is ProviderFault or HttpRequestException or IOException or OperationCanceledException)
        {
            // It does not listen. There is nothing else to be done.
        }
    }

    /// <summary>
    /// <c>state.job_no</c> of <c>state.job_count</c> pictures are done, and <c>state.sampling_step</c> of <c>state.sampling_steps</c>
    /// steps of the next. The count is -1 before the first step, and 0 when nothing is done. <c>current_image</c> is base64.
    /// </summary>
    private static Progress? ReadProgress(JsonElement root, Place place)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("state", out var state) || state.ValueKind != JsonValueKind.Object)
            return null;
        var interrupted = Is(state, "interrupted");
        var (pictures, picture, steps, step) = (Number("job_count"), Number("job_no"), Number("sampling_steps"), Number("sampling_step"));
        if (pictures <= 0 || steps <= 0)
            return new Progress(place, interrupted, 0, 0, 0, null);
        var preview = root.TryGetProperty("current_image", out var image) && image.ValueKind == JsonValueKind.String ? image.GetString() : null;
        return new Progress(place, interrupted, picture, (picture * steps) + Math.Min(step, steps), pictures * steps, preview);

        int Number(string name) => state.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out var number) && number is >= 0 and < 100_000 ? number : 0;
    }

    /// <summary>
    /// <c>images</c> are base64; <c>info</c> is JSON in a string, with <c>all_seeds</c> and <c>index_of_first_image</c>, before which
    /// a server that is set to it puts a grid of all.
    /// </summary>
    private IEnumerable<ImageResult> ReadResults(JsonElement root, ImageRequest request)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("images", out var images) || images.ValueKind != JsonValueKind.Array)
            throw new ProviderFault(_errors.Malformed);
        var (first, seeds) = ReadInfo(Text(root, "info"));
        var index = 0;
        foreach (var image in images.EnumerateArray().Skip(first).Take(request.Count))
        {
            var bytes = image.ValueKind == JsonValueKind.String ? Decode(image.GetString()!) : null;
            yield return new ImageResult(index, bytes ?? [], "", index < seeds.Count ? seeds[index] : request.Seed + index);
            index++;
        }
    }

    private static (int First, IReadOnlyList<long> Seeds) ReadInfo(string info)
    {
        try
        {
            using var document = JsonDocument.Parse(info.Length == 0 ? "{}" : info);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return (0, []);
            var first = root.TryGetProperty("index_of_first_image", out var at) && at.ValueKind == JsonValueKind.Number && at.TryGetInt32(out var number)
                ? Math.Clamp(number, 0, 1)
                : 0;
            return (first, root.TryGetProperty("all_seeds", out var all) && all.ValueKind == JsonValueKind.Array
                ? [.. all.EnumerateArray().Where(s => s.ValueKind == JsonValueKind.Number && s.TryGetInt64(out _)).Select(s => s.GetInt64())]
                : []);
        }
        catch (JsonException)
        {
            return (0, []);
        }
    }

    /// <summary>
    /// FastAPI says <c>detail</c>, as text or as a list with <c>msg</c>; the server itself says <c>error</c>, the exception's class, and
    /// <c>errors</c>, its words.
    /// </summary>
    private static (string Message, string Code) ReadError(JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
            return ("", "");
        if (root.TryGetProperty("detail", out var detail) && detail.ValueKind == JsonValueKind.Array && detail.GetArrayLength() > 0)
            return (Text(detail[0], "msg"), "");
        foreach (var name in (ReadOnlySpan<string>)["detail", "errors", "error"])
        {
            if (Text(root, name) is { Length: > 0 } text)
                return (text, "");
        }

        return ("", "");
    }

    private static byte[]? Decode(string text)
    {
        try
        {
            return ImageServer.FromBase64(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static bool Is(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static string Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : "";

    private static AuthenticationHeaderValue? Key(string? key) =>
        string.IsNullOrEmpty(key) ? null
        : key.Contains(':', StringComparison.Ordinal) ? new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes(key)))
        : new("Bearer", key);

    private enum Place
    {
        Unknown,
        Queued,
        Active,
    }

    private readonly record struct Progress(Place Place, bool IsInterrupted, int Index, int Step, int Steps, string? Preview);
}
