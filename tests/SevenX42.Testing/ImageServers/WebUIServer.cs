using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace SevenX42.Testing.ImageServers;

/// <summary>
/// Speaks the API of the Stable Diffusion WebUI as its source does (modules/api/api.py, modules/progress.py, modules/shared_state.py): one
/// request at a time behind a lock, which goes on when its client is gone; an interrupt that hits whoever works and is forgotten when
/// a request begins. Makes a step whenever the test lets it.
/// </summary>
public sealed class WebUIServer : ImageServerHost
{
    private readonly SemaphoreSlim _queueLock = new(1, 1);
    private readonly SemaphoreSlim _allowed = new(0);
    private readonly ConcurrentDictionary<string, bool> _pending = new();
    private string _currentTask = "";
    private volatile bool _interrupted;
    private volatile int _jobCount;
    private volatile int _jobNo;
    private volatile int _samplingStep;
    private volatile int _samplingSteps;

    /// <summary>Whether it knows <c>force_task_id</c> and <c>/internal/progress</c>.</summary>
    public bool KnowsTasks { get; set; } = true;

    /// <summary>Whether it tells what models it has, when asked.</summary>
    public bool TellsModels { get; set; } = true;

    /// <summary>What <c>current_image</c> holds after so many steps; nothing without previews.</summary>
    public Func<int, string?> Preview { get; set; } = _ => null;

    /// <summary>What <c>images</c> holds.</summary>
    public string Picture { get; set; } = Png;

    /// <summary>Whether a grid of all comes first, as it can be set to.</summary>
    public bool HasGrid { get; set; }

    /// <summary>Starts it on a free port of this machine.</summary>
    public static async Task<WebUIServer> StartAsync()
    {
        var server = new WebUIServer();
        await server.ListenAsync();
        return server;
    }

    /// <summary>Lets it make steps.</summary>
    public void Allow(int steps) => _allowed.Release(steps);

    /// <summary>Has somebody else's request before all others until the result is disposed.</summary>
    public async Task<IDisposable> OccupyAsync()
    {
        await _queueLock.WaitAsync(Stopping);
        (_currentTask, _interrupted, _jobCount, _jobNo, _samplingStep, _samplingSteps) = ("task(of somebody else)", false, 1, 0, 11, 20);
        return new Occupation(this);
    }

    /// <summary>Whether what it works on, or last worked on, was interrupted.</summary>
    public bool IsInterrupted => _interrupted;

    /// <inheritdoc/>
    protected override Task AnswerAsync(HttpContext context, JsonElement body) => (context.Request.Method, context.Request.Path.Value) switch
    {
        ("POST", "/sdapi/v1/txt2img") when Refusal is { } refusal => WriteAsync(context, refusal),
        ("POST", "/sdapi/v1/txt2img") => DrawAsync(context, body),
        ("GET", "/sdapi/v1/progress") => ProgressAsync(context),
        ("POST", "/sdapi/v1/interrupt") => InterruptAsync(context),
        ("POST", "/internal/progress") when KnowsTasks => TaskProgressAsync(context, body.GetProperty("id_task").GetString()!),
        ("GET", "/sdapi/v1/sd-models") when !TellsModels => WriteAsync(context, (503, "text/plain", "")),
        ("GET", "/sdapi/v1/sd-models") => WriteAsync(context, new[]
        {
            new
            {
                title = "v1-5-pruned-emaonly.safetensors [6ce0161689]", model_name = "v1-5-pruned-emaonly", hash = "6ce0161689",
                sha256 = (string?)null, filename = "/models/v1-5-pruned-emaonly.safetensors", config = (string?)null,
            },
        }),
        _ => WriteAsync(context, new { detail = "Not Found" }, 404),
    };

    private async Task DrawAsync(HttpContext context, JsonElement body)
    {
        var task = KnowsTasks ? body.GetProperty("force_task_id").GetString()! : "task(txt2img-made-up)";
        var (count, steps, seed) = (body.GetProperty("n_iter").GetInt32(), body.GetProperty("steps").GetInt32(), body.GetProperty("seed").GetInt64());
        _pending[task] = true;
        await _queueLock.WaitAsync(Stopping);
        var drawn = 0;
        try
        {
            (_interrupted, _jobCount, _jobNo, _samplingStep, _samplingSteps) = (false, -1, 0, 0, 0);
            _currentTask = task;
            _pending.TryRemove(task, out _);
            for (; drawn < count && !_interrupted; drawn++)
            {
                // In this order whoever looks in between sees too little rather than too much.
                (_samplingSteps, _samplingStep, _jobNo, _jobCount) = (steps, 0, drawn, count);
                while (_samplingStep < steps && !_interrupted)
                {
                    await _allowed.WaitAsync(Stopping);
                    if (!_interrupted)
                        _samplingStep++;
                }
            }
        }
        finally
        {
            (_currentTask, _jobCount) = ("", 0);
            _queueLock.Release();
        }

        await WriteAsync(context, new
        {
            images = Enumerable.Repeat(Picture, drawn + (HasGrid ? 1 : 0)),
            parameters = new { },
            info = JsonSerializer.Serialize(new
            {
                seed,
                all_seeds = Enumerable.Range(0, drawn).Select(i => seed + i),
                index_of_first_image = HasGrid ? 1 : 0,
            }),
        });
    }

    private Task InterruptAsync(HttpContext context)
    {
        _interrupted = true;
        _allowed.Release();
        return WriteAsync(context, new { });
    }

    private Task ProgressAsync(HttpContext context)
    {
        var (count, steps) = (_jobCount, _samplingSteps);
        var progress = count == 0 ? 0 : 0.01 + (count > 0 && steps > 0 ? (_jobNo + (_samplingStep / (double)steps)) / count : 0);
        return WriteAsync(context, new
        {
            progress = Math.Min(progress, 1),
            eta_relative = 0.0,
            state = new
            {
                skipped = false,
                interrupted = _interrupted,
                stopping_generation = false,
                job = count == 0 ? "" : "scripts_txt2img",
                job_count = count,
                job_timestamp = "20240101000000",
                job_no = _jobNo,
                sampling_step = _samplingStep,
                sampling_steps = steps,
            },
            current_image = count > 0 ? Preview(_samplingStep) : null,
            textinfo = (string?)null,
        });
    }

    private Task TaskProgressAsync(HttpContext context, string task)
    {
        var (active, queued) = (_currentTask == task, _pending.ContainsKey(task));
        return WriteAsync(context, new
        {
            active,
            queued,
            completed = false,
            progress = (double?)null,
            eta = (double?)null,
            live_preview = (string?)null,
            id_live_preview = -1,
            textinfo = active ? null : queued ? "Queued..." : "Waiting...",
        });
    }

    private sealed class Occupation(WebUIServer server) : IDisposable
    {
        public void Dispose()
        {
            (server._currentTask, server._jobCount) = ("", 0);
            server._queueLock.Release();
        }
    }
}
