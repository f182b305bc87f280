using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SevenX42.Testing;

/// <summary>
/// An OpenAI-compatible server on a real port whose every answer is written by the test: what it says, how slowly, how
/// the bytes are cut, and how it breaks. Records what it was asked and when the client hung up.
/// </summary>
public sealed class ScriptedProvider : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly TimeProvider _time;
    private readonly ConcurrentQueue<RecordedRequest> _requests = new();
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Script>> _queued = new();
    private readonly ConcurrentDictionary<string, Func<RecordedRequest, Script>> _standing = new();
    private readonly CancellationTokenSource _stopping = new();

    private ScriptedProvider(WebApplication app, TimeProvider time) => (_app, _time) = (app, time);

    /// <summary>Where it listens, without <c>/v1</c>.</summary>
    public Uri BaseUrl { get; private set; } = new("http://localhost");

    /// <summary>Chat completions it was asked for, in order.</summary>
    public IReadOnlyList<RecordedRequest> Requests => [.. _requests.Where(r => r.Path.EndsWith("/chat/completions", StringComparison.Ordinal))];

    /// <summary>Everything it was asked, in order.</summary>
    public IReadOnlyList<RecordedRequest> AllRequests => [.. _requests];

    /// <summary>Ids that <c>GET /v1/models</c> lists.</summary>
    public IReadOnlyList<string> Models { get; set; } = ["scripted"];

    /// <summary>What <c>GET /v1/models</c> answers instead of the list.</summary>
    public Script? ModelsScript { get; set; }

    /// <summary>Answers of further routes, by path.</summary>
    public IDictionary<string, Script> Routes { get; } = new ConcurrentDictionary<string, Script>();

    /// <summary>Starts it on a free port of this machine.</summary>
    /// <param name="time">Clock of its pauses.</param>
    /// <param name="port">A port that an earlier one had, to come back on it.</param>
    public static async Task<ScriptedProvider> StartAsync(TimeProvider? time = null, int port = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Logging.ClearProviders();
        var provider = new ScriptedProvider(builder.Build(), time ?? TimeProvider.System);
        provider._app.Run(provider.AnswerAsync);
        await provider._app.StartAsync();
        provider.BaseUrl = new Uri(
            provider._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
        return provider;
    }

    /// <summary>The next answers of a model, one each; when they are used up, the standing answer follows.</summary>
    public void Enqueue(string model, params Script[] scripts)
    {
        var queue = _queued.GetOrAdd(model, _ => new());
        foreach (var script in scripts)
            queue.Enqueue(script);
    }

    /// <summary>The standing answer of a model.</summary>
    public void Script(string model, Script script) => _standing[model] = _ => script;

    /// <summary>The standing answer of a model, made for each request.</summary>
    public void Script(string model, Func<RecordedRequest, Script> script) => _standing[model] = script;

    /// <summary>Waits until so many completions were asked for, and returns the last of them.</summary>
    public async Task<RecordedRequest> UntilAskedAsync(int count, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (Requests.Count < count)
        {
            if (Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(30))
                throw new TimeoutException($"Asked {Requests.Count} times, not {count}.");
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, cancellationToken);
        }

        return Requests[count - 1];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Whoever still hangs is let go first, or Kestrel would wait for them.
        await _stopping.CancelAsync();
        await _app.StopAsync();
        await _app.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var request = await RecordedRequest.ReadAsync(context);
        _requests.Enqueue(request);
        using var gone = context.RequestAborted.Register(request.HungUp);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
        try
        {
            await PlayAsync(Choose(request), context, stop.Token);
        }
        catch (OperationCanceledException)
        {
            // The client hung up, or the test is over.
            context.Abort();
        }
        catch (IOException)
        {
            // The client hung up while something was sent.
        }
        finally
        {
            request.Over();
        }
    }

    private Script Choose(RecordedRequest request)
    {
        if (Routes.TryGetValue(request.Path, out var route))
            return route;
        if (request.Path.EndsWith("/models", StringComparison.Ordinal))
        {
            return ModelsScript ?? SevenX42.Testing.Script.Respond(200, JsonSerializer.Serialize(new
            {
                @object = "list",
                data = Models.Select(id => new { id, @object = "model", created = 1_700_000_000, owned_by = "test" }),
            }));
        }

        if (!request.Path.EndsWith("/chat/completions", StringComparison.Ordinal))
            return SevenX42.Testing.Script.Error(404, $"No such route: {request.Path}");
        if (_queued.TryGetValue(request.Model, out var queue) && queue.TryDequeue(out var next))
            return next;
        return _standing.TryGetValue(request.Model, out var standing)
            ? standing(request)
            : SevenX42.Testing.Script.Error(404, $"The model `{request.Model}` does not exist", "model_not_found");
    }

    private async Task PlayAsync(Script script, HttpContext context, CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.StatusCode = script.Status;
        response.ContentType = script.ContentType;
        foreach (var (name, value) in script.Headers)
            response.Headers[name] = value;
        context.Features.Get<IHttpResponseBodyFeature>()!.DisableBuffering();
        var random = script.CutSeed is { } seed ? new Random(seed) : null;
        var pending = new List<byte>();
        foreach (var step in script.Steps)
        {
            switch (step)
            {
                case SevenX42.Testing.Script.Line line:
                    pending.AddRange(script.Encoding.GetBytes(line.Text + script.NewLine));

                    // An event at a time, unless the bytes are cut at random; then pieces of events, and several at once.
                    if (random is null && line.Text.Length > 0)
                        continue;
                    break;
                case SevenX42.Testing.Script.Write write:
                    pending.AddRange(script.Encoding.GetBytes(write.Text));
                    break;
                case SevenX42.Testing.Script.PauseStep pause:
                    await SendAsync(pending.Count);
                    var pausing = Task.Delay(pause.Duration, _time, cancellationToken);
                    await (pause.Unless is { } end ? await Task.WhenAny(pausing, end) : pausing);
                    continue;
                case SevenX42.Testing.Script.Gate gate:
                    await SendAsync(pending.Count);
                    await response.Body.FlushAsync(cancellationToken);
                    await gate.Opened.WaitAsync(cancellationToken);
                    continue;
                case SevenX42.Testing.Script.HangStep:
                    await SendAsync(pending.Count);
                    await response.Body.FlushAsync(cancellationToken);
                    await Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken);
                    continue;
                case SevenX42.Testing.Script.CutStep:
                    await SendAsync(pending.Count);
                    if (response.HasStarted)
                        throw new ConnectionCutException();
                    context.Abort();
                    return;
            }

            if (random is null)
            {
                await SendAsync(pending.Count);
            }
            else
            {
                while (pending.Count > 0 && random.Next(4) > 0)
                    await SendAsync(random.Next(1, Math.Min(pending.Count, 200) + 1));
            }
        }

        await SendAsync(pending.Count);

        async Task SendAsync(int count)
        {
            if (count == 0)
                return;
            await response.Body.WriteAsync(pending.GetRange(0, count).ToArray(), cancellationToken);
            await response.Body.FlushAsync(cancellationToken);
            pending.RemoveRange(0, count);
        }
    }

    // Leaves the application: Kestrel then closes the connection in the midst of the body, after what was written. Abort may
    // throw away what was written before, and the client would see a connection that broke earlier than the script says.
    private sealed class ConnectionCutException() : Exception("The script cuts the connection.");
}
