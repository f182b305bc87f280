using System.Diagnostics;
using System.Globalization;
using SevenX42.Testing;

namespace SevenX42.Faults.Tests;

/// <summary>
/// Two processes serve and two generate; people chat at random, in one tab or two, while everything around them fails, one thing
/// after the other; in the end a checker looks at what is stored and at what everybody saw. By default some faults happen, as the seed
/// decides; all of them once with FAULTS_COUNT=18; for longer and with more people, or again with the seed of a run that failed:
/// <code>
/// FAULTS_MINUTES=60 FAULTS_PEOPLE=24 FAULTS_SEED=7 dotnet test tests/SevenX42.Faults.Tests --filter FullyQualifiedName~FaultTests
/// </code>
/// </summary>
[Collection(nameof(Alone))]
public sealed class FaultTests(ITestOutputHelper output)
{
    private const double MostMemory = 700;
    private const int MostLines = 400;
    private const StringComparison Ordinal = StringComparison.Ordinal;

    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan EndOfChats = TimeSpan.FromMinutes(3);
    private static readonly int People = Setting("FAULTS_PEOPLE", 6);
    private static readonly int Count = Setting("FAULTS_COUNT", 4);
    private static readonly TimeSpan Duration = TimeSpan.FromMinutes(Setting("FAULTS_MINUTES", 0));
    private static readonly bool IsLong = Duration > TimeSpan.Zero || Count > Fault.All.Count + 1;
    private static readonly int Seed = Setting("FAULTS_SEED", Random.Shared.Next(1_000_000));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_is_lost_and_nothing_is_there_twice_whatever_fails()
    {
        var history = new History();
        var random = new Random(Seed);
        output.WriteLine($"FAULTS_SEED={Seed}");
        await using var world = await World.StartAsync(webs: 2, workers: 2);
        world.Provider.Script("scripted", request => Texts.Script(request, history));
        await world.StartWorkerAheadAsync();

        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var people = Enumerable.Range(0, People).Select(i => new Participant(world, history, Seed + i)).ToList();
        var chats = people.Select(p => p.ChatAsync(over.Token)).ToList();
        var started = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(() => history.Views.Count >= People, Quiet);
        var memory = world.Replicas.ToDictionary(r => r, r => r.MemoryInMegabytes);
        var faults = new List<(string Name, long Began, long Over)>();
        try
        {
            do
            {
                Fault[] round = [.. Fault.All, Fault.Poison(history, people), .. IsLong ? (Fault[])[Fault.RedisAwayForLong] : []];
                random.Shuffle(round);
                foreach (var fault in Duration > TimeSpan.Zero ? round : round.Take(Count))
                {
                    var began = Stopwatch.GetTimestamp();
                    await HappenAsync(fault);
                    faults.Add((fault.Name, began, Stopwatch.GetTimestamp()));
                    history.Count($"fault: {fault.Name}");
                    Say($"{Stopwatch.GetElapsedTime(started).TotalMinutes:F1} min: {fault.Name}; {history.Messages.Count} messages");
                    await Task.Delay(TimeSpan.FromMilliseconds(random.Next(500, 2_000)), TimeProvider.System, Cancel);
                    if (!history.Wrong.IsEmpty || (Duration > TimeSpan.Zero && Stopwatch.GetElapsedTime(started) > Duration))
                        break;
                }
            }
            while (history.Wrong.IsEmpty && Stopwatch.GetElapsedTime(started) < Duration);
        }
        finally
        {
            await over.CancelAsync();
            // Whoever is in the midst of something waits longer than that for nothing; but where a fault was not put right, they would for ever.
            await Task.WhenAny(Task.WhenAll(chats), Task.Delay(EndOfChats, TimeProvider.System, Cancel));
            Report(history, faults, Stopwatch.GetElapsedTime(started), world);
        }

        async Task HappenAsync(Fault fault)
        {
            try
            {
                await fault.HappenAsync(world, random, Cancel);
            }
            catch (Exception e) when (!Cancel.IsCancellationRequested)
            {
                history.Wrong.Add($"It could not be put right that {fault.Name}: {e}");
            }
        }

        Assert.Empty(history.Wrong);
        await Task.WhenAll(chats).WaitAsync(Quiet, Cancel);
        var nothing = new Dictionary<Guid, string>();
        await Eventually.TrueAsync(async () => (await Stored.ReadAsync(world.Database, nothing)).Jobs.All(j => Stored.IsEnd(j.Status)), Quiet);
        var html = new Dictionary<Guid, string>();
        foreach (var person in people)
        {
            foreach (var (answer, shown) in await person.ReopenAsync())
                html[answer] = shown;
            person.Dispose();
        }

        var stored = await Stored.ReadAsync(world.Database, html);
        var died = stored.Jobs.Sum(j => j.Crashes);
        Say($"{stored.Messages.Count} messages and answers are stored, {stored.Jobs.Count} generations; {died} attempts died.");
        var broken = Checker.Broken(history, stored, Texts.Answer).ToList();
        Assert.True(broken.Count == 0, string.Join('\n', broken));
        await NothingIsHeldAsync(world);
        foreach (var replica in world.Replicas)
        {
            var first = memory.GetValueOrDefault(replica);
            var heap = await World.MetricAsync(replica, "dotnet_gc_last_collection_heap_size_bytes") / 1024 / 1024;
            Say($"{replica.Name}: {first:F0} MiB at first, {replica.MemoryInMegabytes:F0} MiB at last, of which {heap:F0} MiB were managed at the last collection; {replica.OpenFiles} open files");
            Assert.InRange(replica.MemoryInMegabytes, 1, MostMemory);
        }
    }

    private static int Setting(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? int.Parse(set, CultureInfo.InvariantCulture) : otherwise;

    private void Say(FormattableString sentence) => output.WriteLine(FormattableString.Invariant(sentence));

    /// <summary>When everybody has gone, nothing of them is left in any process.</summary>
    private static async Task NothingIsHeldAsync(World world)
    {
        foreach (var replica in world.Webs)
        {
            foreach (var what in (string[])["connections", "subscriptions", "polls", "channels"])
            {
                await Eventually.TrueAsync(
                    async () => await World.MetricAsync(replica, $"sevenx42_realtime_{what}") == 0, Quiet, $"{replica.Name} holds no {what}");
            }
        }

        foreach (var replica in world.Workers)
        {
            await Eventually.TrueAsync(
                async () => await World.MetricAsync(replica, "sevenx42_generation_running") == 0, Quiet, $"{replica.Name} runs nothing");
        }
    }

    private void Report(History history, List<(string Name, long Began, long Over)> faults, TimeSpan took, World world)
    {
        Say($"{took.TotalMinutes:F1} minutes, {People} people, {history.Messages.Count} messages, {history.Views.Count} answers watched.");
        output.WriteLine(history.Summary());
        foreach (var wrong in history.Wrong)
            output.WriteLine(wrong);
        var gaps = history.Gaps.ToList();
        foreach (var group in faults.GroupBy(f => f.Name).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            var longest = gaps.Where(g => group.Any(f => g.Overlaps(f.Began, f.Over))).Select(g => g.Length).DefaultIfEmpty().Max();
            var average = group.Average(f => Stopwatch.GetElapsedTime(f.Began, f.Over).TotalSeconds);
            Say($"{group.Key}: {group.Count()} times, {average:F1} s; the longest anybody saw nothing: {longest.TotalSeconds:F1} s");
        }

        // Nobody should meet a fault that was not thought of, whatever fails around.
        foreach (var line in world.Said(l => l.Contains("crit:", Ordinal) || l.Contains("Unhandled fault", Ordinal), lines: 40).Take(MostLines))
            output.WriteLine(line);
    }
}
