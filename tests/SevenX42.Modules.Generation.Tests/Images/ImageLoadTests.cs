using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Realtime;
using SevenX42.Testing;
using SevenX42.Testing.ImageServers;

namespace SevenX42.Modules.Generation.Tests.Images;

/// <summary>Many pictures at once, beside answers that are written. Alone, since it measures time.</summary>
[Collection(nameof(Alone))]
public sealed class ImageLoadTests(PostgresServer postgres, ITestOutputHelper output) : IAsyncLifetime
{
    private const int Drawings = 200;
    // Ten seconds: all are drawn for as long as the answers take, and in the end all are stored.
    private const int Steps = 100;
    private const int Answers = 20;
    private const int Tokens = 150;
    private const string Token = "word ";
    private const long MostMemory = 64 * 1024 * 1024;

    /// <summary>From a chunk of the provider to a reader: a goal of its own, below which nobody sees a difference.</summary>
    private static readonly TimeSpan Unseen = TimeSpan.FromMilliseconds(40);

    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan BetweenTokens = TimeSpan.FromMilliseconds(20);

    private readonly DirectoryInfo _pictures = Directory.CreateTempSubdirectory("7x42-pictures-");

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public ValueTask DisposeAsync()
    {
        _pictures.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Of_200_drawings_with_ten_steps_a_second_each_comes_to_its_end_and_no_answer_is_later_for_them()
    {
        await using var painter = await ComfyUIServer.StartAsync(Drawings, Pace);
        await using var writer = await ScriptedProvider.StartAsync();
        await using var host = await GenerationHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                .. GenerationHost.Settings(writer, ("MaxConcurrent", "100")),
                new("Generation:MaxConcurrent", "500"),
                new("Generation:Providers:1:Kind", "ComfyUI"),
                new("Generation:Providers:1:Name", "painter"),
                new("Generation:Providers:1:BaseUrl", painter.BaseUrl.ToString()),
                new("Generation:Providers:1:MaxConcurrent", "200"),
            ],
            pictures: _pictures.FullName);

        // Compiled.
        await LatenciesAsync(host, writer);
        var alone = Percentile99(await LatenciesAsync(host, writer));
        var memory = GC.GetTotalMemory(forceFullCollection: true);
        var drawings = new List<ImageRequested>();
        for (var i = 0; i < Drawings; i++)
            drawings.Add(await host.DeliverAsync(Drawing(i)));
        await GenerationHost.EventuallyAsync(
            async () => (await ProgressAsync(host, drawings[^1])).Exists(p => p.Step > 0) ? "" : null, "the last of them is drawn");

        var beside = Percentile99(await LatenciesAsync(host, writer));

        var running = Drawings - host.Finished.Count(f => f.Purpose == "image");
        output.WriteLine(FormattableString.Invariant(
            $"p99 from chunk to reader: {alone.TotalMilliseconds:F1} ms alone, {beside.TotalMilliseconds:F1} ms beside {running} drawings."));
        Assert.Equal(Drawings, running);
        foreach (var drawing in drawings)
        {
            var finished = await host.FinishAsync(drawing.GenerationId);
            Assert.Equal((GenerationStatus.Completed, 1), (finished.Status, finished.Pictures!.Distinct().Count()));
            var told = await ProgressAsync(host, drawing);
            Assert.Equal((1, Steps, Steps), (told[^1].Done, told[^1].Step, told[^1].Steps));
            Assert.All(told.Skip(1).Zip(told), pair => Assert.True(pair.First.Step >= pair.Second.Step));
        }

        Assert.Equal(Drawings, host.Finished.Where(f => f.Purpose == "image").SelectMany(f => f.Pictures!).Distinct().Count());
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - memory, long.MinValue, MostMemory);
        Assert.InRange(beside, TimeSpan.Zero, TimeSpan.FromTicks(Math.Max(Unseen.Ticks, alone.Ticks * 3 / 2)));
    }

    private static ImageRequested Drawing(int number)
    {
        var conversation = GenerationHost.NewId();
        return new ImageRequested(
            GenerationHost.NewId(), GenerationHost.NewId(), GenerationHost.NewId(), conversation, GenerationHost.NewId(),
            $"conversation/{conversation}", "2", "painter/v1-5-pruned-emaonly.safetensors", "a boat", 512, 512, 1, number, "", Steps);
    }

    private static TimeSpan Percentile99(List<TimeSpan> latencies) => latencies.Order().ElementAt(latencies.Count * 99 / 100);

    private static async Task<List<ImageProgress>> ProgressAsync(GenerationHost host, ImageRequested drawing)
    {
        var events = new List<ChannelEvent>();
        await host.Log.ReadRetainedAsync(drawing.Channel, events, Cancelled);
        return
        [
            .. events.Where(e => e.Type == GenerationEvents.Image)
                .Select(e => JsonSerializer.Deserialize(e.Data.Span, GenerationEventsJson.Wire.ImageProgressData)!.Progress),
        ];
    }

    /// <summary>How long each token of some answers takes from the provider to a reader of the answer's channel.</summary>
    private static async Task<List<TimeSpan>> LatenciesAsync(GenerationHost host, ScriptedProvider writer)
    {
        var gates = Enumerable.Range(0, Tokens).Select(_ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).ToArray();
        var opened = new long[Tokens];
        writer.Script("scripted", gates.Aggregate(Script.Stream.Role(), (script, gate) => script.Until(gate.Task).Say(Token)).Finish().Usage(1, 1).Done());
        var requests = new List<AnswerRequested>();
        for (var i = 0; i < Answers; i++)
            requests.Add(await host.DeliverAsync(GenerationHost.Request(model: "scripted/scripted")));
        var readers = requests.Select(request => ReadAsync(host, request, opened)).ToList();
        foreach (var request in requests)
            await host.UntilReadAsync(request, a => a.Started.Any(), "it is begun");
        for (var i = 0; i < Tokens; i++)
        {
            Volatile.Write(ref opened[i], Stopwatch.GetTimestamp());
            gates[i].SetResult();
            await Task.Delay(BetweenTokens, TimeProvider.System, Cancelled);
        }

        return [.. (await Task.WhenAll(readers)).SelectMany(latencies => latencies)];
    }

    private static async Task<List<TimeSpan>> ReadAsync(GenerationHost host, AnswerRequested request, long[] opened)
    {
        var wake = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        using var subscription = host.Log.Subscribe(request.Channel, () => wake.Writer.TryWrite(true));
        var latencies = new List<TimeSpan>();
        var position = await host.Log.GetPositionAsync(request.Channel, Cancelled);
        var events = new List<ChannelEvent>();
        while (latencies.Count < Tokens)
        {
            events.Clear();
            var read = await host.Log.ReadAsync(request.Channel, position, 1_000, events, Cancelled);
            Assert.True(read.Recovered);
            position = read.Head;
            foreach (var e in events.Where(e => e.Type == GenerationEvents.Delta))
            {
                var delta = JsonSerializer.Deserialize(e.Data.Span, GenerationEventsJson.Wire.DeltaData)!;
                while (latencies.Count < (delta.Offset + delta.Text.Length) / Token.Length)
                    latencies.Add(Stopwatch.GetElapsedTime(Volatile.Read(ref opened[latencies.Count])));
            }

            if (latencies.Count < Tokens)
                await wake.Reader.ReadAsync(Cancelled);
        }

        return latencies;
    }
}
