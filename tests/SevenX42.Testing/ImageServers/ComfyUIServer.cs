using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Testing.ImageServers;

/// <summary>
/// Speaks the API of ComfyUI as its source does (server.py, execution.py): a queue, of which one prompt is worked on at a time; a WebSocket
/// that tells the client whose prompt it is of progress and previews; a history. Makes a step whenever the test lets it, or at a pace.
/// </summary>
public sealed class ComfyUIServer : ImageServerHost
{
    private readonly SemaphoreSlim _allowed = new(0);
    private readonly SemaphoreSlim _worker;
    private readonly Lock _lock = new();
    private readonly List<(int Number, string Id, JsonElement Graph)> _pending = [];
    private readonly ConcurrentDictionary<string, object> _history = new();
    private readonly ConcurrentDictionary<string, WebSocket> _sockets = new();
    private (int Number, string Id, JsonElement Graph)? _running;
    private volatile bool _interrupted;
    private int _number;

    private ComfyUIServer(int atOnce) => _worker = new SemaphoreSlim(atOnce);

    /// <summary>Time between its steps, which nobody has to allow then.</summary>
    public TimeSpan? Pace { get; init; }

    /// <summary>Whether it takes the id it is given and interrupts by id, as versions from the end of 2025 do.</summary>
    public bool KnowsIds { get; set; } = true;

    /// <summary>The picture of a preview after so many steps; nothing without previews.</summary>
    public Func<int, byte[]?> Preview { get; set; } = _ => null;

    /// <summary>After which step it fails, as when it has no memory left.</summary>
    public int? FailsAfter { get; set; }

    /// <summary>What <c>/view</c> has.</summary>
    public byte[] Picture { get; set; } = Convert.FromBase64String(Png);

    /// <summary>Whether what it works on, or last worked on, was interrupted.</summary>
    public bool IsInterrupted => _interrupted;

    /// <summary>Starts it on a free port of this machine.</summary>
    public static Task<ComfyUIServer> StartAsync() => StartAsync(new ComfyUIServer(atOnce: 1));

    /// <summary>Starts what stands for as many servers as draw at the same time, each at a pace. Interrupts none.</summary>
    public static Task<ComfyUIServer> StartAsync(int servers, TimeSpan pace) => StartAsync(new ComfyUIServer(servers) { Pace = pace });

    private static async Task<ComfyUIServer> StartAsync(ComfyUIServer server)
    {
        await server.ListenAsync();
        return server;
    }

    /// <summary>Lets it make steps.</summary>
    public void Allow(int steps) => _allowed.Release(steps);

    /// <summary>Has somebody else's prompt before all others until the result is disposed.</summary>
    public async Task<IDisposable> OccupyAsync()
    {
        await _worker.WaitAsync(Stopping);
        _running = (-1, "of somebody else", default);
        return new Occupation(this);
    }

    /// <inheritdoc/>
    protected override Task AnswerAsync(HttpContext context, JsonElement body)
    {
        var path = context.Request.Path.Value!;
        return (context.Request.Method, path) switch
        {
            ("GET", "/ws") => TalkAsync(context),
            ("POST", "/prompt") when Refusal is { } refusal => WriteAsync(context, refusal),
            ("POST", "/prompt") => QueueAsync(context, body),
            ("GET", "/queue") => TellQueueAsync(context),
            ("POST", "/queue") => DeleteAsync(context, body),
            ("POST", "/interrupt") => InterruptAsync(context, body),
            ("GET", "/models/checkpoints") => WriteAsync(context, new[] { "v1-5-pruned-emaonly.safetensors" }),
            ("GET", _) when path.StartsWith("/history/", StringComparison.Ordinal) => WriteAsync(
                context, _history.Where(h => path.EndsWith(h.Key, StringComparison.Ordinal)).ToDictionary(h => h.Key, h => h.Value)),
            ("GET", "/view") => ViewAsync(context),
            _ => WriteAsync(context, (404, "text/plain", "404: Not Found")),
        };
    }

    private async Task TalkAsync(HttpContext context)
    {
        var client = context.Request.Query["clientId"].ToString();
        using var socket = await context.WebSockets.AcceptWebSocketAsync();
        _sockets[client] = socket;
        await SendAsync(client, "status", new { status = QueueInfo(), sid = client });
        try
        {
            await socket.ReceiveAsync(new byte[1024], Stopping);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            socket.Abort();
        }

        _sockets.TryRemove(client, out _);
    }

    private async Task QueueAsync(HttpContext context, JsonElement body)
    {
        var number = Interlocked.Increment(ref _number);
        var id = KnowsIds && body.TryGetProperty("prompt_id", out var given) ? given.GetString()! : $"00000000-0000-4000-8000-{number:d12}";
        var client = body.GetProperty("client_id").GetString()!;
        lock (_lock)
            _pending.Add((number, id, body.GetProperty("prompt")));
        await WriteAsync(context, new { prompt_id = id, number, node_errors = new { } });
        await SendAsync(client, "status", new { status = QueueInfo() });
        _ = WorkAsync(id, client);
    }

    private async Task WorkAsync(string id, string client)
    {
        try
        {
            await _worker.WaitAsync(Stopping);
        }
        catch (OperationCanceledException)
        {
            return;
        }

        try
        {
            JsonElement graph;
            lock (_lock)
            {
                var at = _pending.FindIndex(p => p.Id == id);
                if (at < 0)
                    return;
                (_running, _interrupted, graph) = (_pending[at], false, _pending[at].Graph);
                _pending.RemoveAt(at);
            }

            await DrawAsync(id, client, graph);
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException)
        {
            // The client is gone, or the test is over.
        }
        finally
        {
            _running = null;
            _worker.Release();
        }
    }

    private async Task DrawAsync(string id, string client, JsonElement graph)
    {
        var sampler = graph.EnumerateObject().Single(n => n.Value.GetProperty("class_type").GetString() == "KSampler");
        var output = graph.EnumerateObject().Single(n => n.Value.GetProperty("class_type").GetString() == "PreviewImage").Name;
        var steps = sampler.Value.GetProperty("inputs").GetProperty("steps").GetInt32();
        await SendAsync(client, "execution_start", new { prompt_id = id, timestamp = 1_700_000_000_000 });
        await SendAsync(client, "execution_cached", new { nodes = Array.Empty<string>(), prompt_id = id, timestamp = 1_700_000_000_000 });
        await SendAsync(client, "executing", new { node = sampler.Name, display_node = sampler.Name, prompt_id = id });
        for (var step = 1; step <= steps; step++)
        {
            if (Pace is { } pace)
                await Task.Delay(pace, TimeProvider.System, Stopping);
            else
                await _allowed.WaitAsync(Stopping);
            if (_interrupted)
            {
                await SendAsync(client, "execution_interrupted", new { prompt_id = id, node_id = sampler.Name, node_type = "KSampler", executed = Array.Empty<string>() });
                return;
            }

            await SendAsync(client, "progress", new { value = step, max = steps, prompt_id = id, node = sampler.Name });
            if (Preview(step) is { } preview)
                await SendPreviewAsync(client, preview);
            if (step != FailsAfter)
                continue;
            await SendAsync(client, "execution_error", new
            {
                prompt_id = id,
                node_id = sampler.Name,
                node_type = "KSampler",
                executed = Array.Empty<string>(),
                exception_message = "Allocation on device 0 would exceed allowed memory.",
                exception_type = "torch.OutOfMemoryError",
                traceback = new[] { "File \"/opt/comfy/execution.py\", line 323" },
                current_inputs = new { },
                current_outputs = Array.Empty<string>(),
            });
            return;
        }

        // Another node counts, too: its steps are not the picture's.
        await SendAsync(client, "executing", new { node = "8", display_node = "8", prompt_id = id });
        await SendAsync(client, "progress", new { value = 1, max = 400, prompt_id = id, node = "8" });
        var images = new[] { new { filename = "ComfyUI temp_00001_.png", subfolder = "", type = "temp" } };
        _history[id] = new
        {
            prompt = new object[] { 1, id, graph, new { client_id = client }, new[] { output } },
            outputs = new Dictionary<string, object> { [output] = new { images } },
            status = new { status_str = "success", completed = true, messages = Array.Empty<object>() },
        };
        await SendAsync(client, "executed", new { node = output, display_node = output, output = new { images }, prompt_id = id });
        await SendAsync(client, "execution_success", new { prompt_id = id, timestamp = 1_700_000_000_000 });
        await SendAsync(client, "executing", new { node = (string?)null, prompt_id = id });
    }

    private Task TellQueueAsync(HttpContext context)
    {
        lock (_lock)
        {
            return WriteAsync(context, new
            {
                queue_running = _running is { } running ? new[] { Entry(running.Number, running.Id) } : [],
                queue_pending = _pending.Select(p => Entry(p.Number, p.Id)).ToArray(),
            });
        }

        static object[] Entry(int number, string id) => [number, id, new { }, new { }, Array.Empty<string>()];
    }

    private Task DeleteAsync(HttpContext context, JsonElement body)
    {
        var ids = body.GetProperty("delete").EnumerateArray().Select(i => i.GetString()).ToList();
        lock (_lock)
            _pending.RemoveAll(p => ids.Contains(p.Id));
        return Task.CompletedTask;
    }

    private Task InterruptAsync(HttpContext context, JsonElement body)
    {
        if (!KnowsIds || !body.TryGetProperty("prompt_id", out var id) || id.GetString() == _running?.Id)
        {
            _interrupted = true;
            _allowed.Release();
        }

        return Task.CompletedTask;
    }

    private Task ViewAsync(HttpContext context)
    {
        if (context.Request.Query["filename"] != "ComfyUI temp_00001_.png" || context.Request.Query["type"] != "temp")
            return WriteAsync(context, (404, "text/plain", ""));
        context.Response.ContentType = "image/png";
        return context.Response.Body.WriteAsync(Picture).AsTask();
    }

    private object QueueInfo()
    {
        lock (_lock)
            return new { exec_info = new { queue_remaining = _pending.Count + (_running is null ? 0 : 1) } };
    }

    private Task SendAsync(string client, string type, object data) => _sockets.TryGetValue(client, out var socket)
        ? socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(new { type, data }), WebSocketMessageType.Text, true, Stopping)
        : Task.CompletedTask;

    private Task SendPreviewAsync(string client, byte[] picture)
    {
        var message = new byte[8 + picture.Length];
        BinaryPrimitives.WriteUInt32BigEndian(message, 1);
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), 2);
        picture.CopyTo(message, 8);
        return _sockets.TryGetValue(client, out var socket)
            ? socket.SendAsync(message, WebSocketMessageType.Binary, true, Stopping)
            : Task.CompletedTask;
    }

    private sealed class Occupation(ComfyUIServer server) : IDisposable
    {
        public void Dispose()
        {
            server._running = null;
            server._worker.Release();
        }
    }
}
