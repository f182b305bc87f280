using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace SevenX42.Testing.ImageServers;

/// <summary>
/// What the servers of pictures have in common: a real port, a record of what was asked, one answer for all where the test wants it,
/// and a sudden death.
/// </summary>
public abstract class ImageServerHost : IAsyncDisposable
{
    /// <summary>A picture of one pixel, PNG.</summary>
    public const string Png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    private readonly ConcurrentQueue<string> _calls = new();
    private readonly ConcurrentQueue<JsonElement> _bodies = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _dead = new();
    private WebApplication? _app;

    /// <summary>Where it listens.</summary>
    public Uri BaseUrl { get; private set; } = new("http://localhost");

    /// <summary>What it was asked, in order: method, a space, path and query.</summary>
    public IReadOnlyList<string> Calls => [.. _calls];

    /// <summary>The JSON bodies it was sent, in order.</summary>
    public IReadOnlyList<JsonElement> Bodies => [.. _bodies];

    /// <summary>What it answers to requests for pictures instead of drawing.</summary>
    public (int Status, string ContentType, string Body)? Refusal { get; set; }

    /// <summary>The test is over.</summary>
    protected CancellationToken Stopping => _stopping.Token;

    /// <summary>Breaks all connections and takes no more.</summary>
    public void Die() => _dead.Cancel();

    /// <summary>Waits until something was asked so many times.</summary>
    /// <param name="call">How the call begins: method, a space, path.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="count">How many times.</param>
    public async Task UntilAskedAsync(string call, TimeSpan limit, int count = 1)
    {
        var started = Stopwatch.GetTimestamp();
        while (Calls.Count(c => c.StartsWith(call, StringComparison.Ordinal)) < count)
        {
            if (Stopwatch.GetElapsedTime(started) > limit)
                throw new TimeoutException($"Was not asked {call} {count} times, but {string.Join(", ", Calls.Distinct())}.");
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Stopping);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        _stopping.Dispose();
        _dead.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts it on a free port of this machine.</summary>
    protected async Task ListenAsync()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.AddServerHeader = false);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        _app = builder.Build();
        _app.UseWebSockets();
        _app.Run(AnswerAsync);
        await _app.StartAsync();
        BaseUrl = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
    }

    /// <summary>Answers one request.</summary>
    /// <param name="context">The request; its body is read already.</param>
    /// <param name="body">Its JSON; nothing when it has none.</param>
    protected abstract Task AnswerAsync(HttpContext context, JsonElement body);

    /// <summary>Writes JSON.</summary>
    protected static Task WriteAsync(HttpContext context, object value, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(value)).AsTask();
    }

    /// <summary>Writes the answer that the test wants.</summary>
    protected static Task WriteAsync(HttpContext context, (int Status, string ContentType, string Body) answer)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = answer.ContentType;
        return context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(answer.Body)).AsTask();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var body = default(JsonElement);
        using var dead = _dead.Token.Register(context.Abort);
        try
        {
            if (context.Request.ContentLength is null or > 0 && context.Request.Method == "POST")
            {
                using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: Stopping);
                body = document.RootElement.Clone();
                _bodies.Enqueue(body);
            }

            _calls.Enqueue($"{context.Request.Method} {context.Request.Path}{context.Request.QueryString}");
            await AnswerAsync(context, body);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or JsonException)
        {
            context.Abort();
        }
    }
}
