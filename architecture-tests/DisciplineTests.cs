using System.Text.RegularExpressions;
using Mono.Cecil;
using NetArchTest.Rules;
using SevenX42.ArchitectureTests.Subjects;

namespace SevenX42.ArchitectureTests;

/// <summary>Habits that hold everywhere: time is a dependency, logs are declared, names mean something.</summary>
internal static partial class DisciplineRules
{
    private const string Generated = "System.CodeDom.Compiler.GeneratedCodeAttribute";

    /// <summary>Calls that read a clock or wait without being told which clock, as <c>Type.Method(parameter types)</c>.</summary>
    private static readonly HashSet<string> Clocks = new(StringComparer.Ordinal)
    {
        "System.DateTime.get_Now()", "System.DateTime.get_UtcNow()", "System.DateTime.get_Today()",
        "System.DateTimeOffset.get_Now()", "System.DateTimeOffset.get_UtcNow()",
        "System.Threading.Thread.Sleep(System.Int32)", "System.Threading.Thread.Sleep(System.TimeSpan)",
        "System.Threading.Tasks.Task.Delay(System.Int32)", "System.Threading.Tasks.Task.Delay(System.TimeSpan)",
        "System.Threading.Tasks.Task.Delay(System.Int32,System.Threading.CancellationToken)",
        "System.Threading.Tasks.Task.Delay(System.TimeSpan,System.Threading.CancellationToken)",
        "System.Guid.NewGuid()", "System.Guid.CreateVersion7()",
        "System.Threading.PeriodicTimer..ctor(System.TimeSpan)",
    };

    public static Verdict TimeIsADependency(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => a.Definition.MainModule.GetTypes()),
        type => type.Methods.SelectMany(m => m.Instructions()).Select(i => i.Operand).OfType<MethodReference>()
            .Select(Signature).Where(Clocks.Contains)
            .Select(call => $"{Owner(type).Display()}: calls {call}"));

    /// <summary>The analyzer finds at the keyboard what the scan of the binaries finds here; one list must not lag behind.</summary>
    public static Verdict TheAnalyzerKnowsEveryClock(string bannedSymbols)
    {
        var banned = bannedSymbols.Split('\n').Select(line => line.Split(';')[0].Trim()).ToHashSet(StringComparer.Ordinal);
        return Verdict.On(Clocks, call =>
        {
            var symbol = call.Contains(".get_", StringComparison.Ordinal)
                ? "P:" + call.Replace(".get_", ".", StringComparison.Ordinal)[..^2]
                : "M:" + call.Replace("..ctor", ".#ctor", StringComparison.Ordinal).Replace("()", "", StringComparison.Ordinal);
            return banned.Contains(symbol) ? [] : [$"{symbol}: is not in BannedSymbols.txt"];
        });
    }

    public static Verdict NobodySilencesTheBan(IEnumerable<SourceFile> sources) => Verdict.On(
        sources, file => file.Text.Contains("disable RS0030", StringComparison.Ordinal) ? [$"{file.Path}: silences the ban on clocks"] : []);

    /// <summary>Logs are declared once with <c>[LoggerMessage]</c>: a template, an id, a level, no interpolation.</summary>
    public static Verdict LogsAreDeclared(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => a.Types),
        type => type.AllMethods().Where(m => !m.HasAttribute(Generated)).SelectMany(m => m.Instructions()).Select(i => i.Operand).OfType<MethodReference>()
            .Where(call => (call.DeclaringType.FullName == "Microsoft.Extensions.Logging.LoggerExtensions" && call.Name != "BeginScope")
                || (call.DeclaringType.FullName == "Microsoft.Extensions.Logging.ILogger" && call.Name == "Log"))
            .Select(call => $"{type.Display()}: calls {call.DeclaringType.Name}.{call.Name}"));

    /// <summary>Only the Host talks to a terminal.</summary>
    public static Verdict NobodyWritesToTheConsole(IEnumerable<Binary> assemblies) => Verdict.On(
        assemblies.SelectMany(a => a.Types),
        type => type.Calls().Where(call => call.DeclaringType.FullName == "System.Console").Select(call => $"{type.Display()}: calls Console.{call.Name}"));

    public static Verdict NamesMeanSomething(IEnumerable<Binary> assemblies)
    {
        var verdicts = assemblies.Select(assembly =>
        {
            var counted = new Inspection(_ => []);
            var result = assembly.NetArchTypes.That().MeetCustomRule(new Selection(t => !t.IsGenerated()))
                .Should().MeetCustomRule(counted)
                .And().NotHaveNameMatching("(Helpers?|Utils?|Utility|Utilities|Common|Commons|Managers?|Misc)(`\\d+)?$").GetResult();
            return new Verdict(counted.Verdict.Selected, [.. (result.FailingTypeNames ?? []).Select(name => $"{name}: grows for ever under such a name")]);
        }).ToList();
        return new Verdict(verdicts.Sum(v => v.Selected), [.. verdicts.SelectMany(v => v.Violations)]);
    }

    /// <summary>A strict content security policy blocks inline code, so markup that needs it would not work.</summary>
    public static Verdict MarkupHoldsNoCode(IEnumerable<SourceFile> views) => Verdict.On(
        views, view => InlineCode().Matches(view.Text).Select(match => $"{view.Path}: has inline code, {match.Value.Trim()}"));

    private static TypeDefinition Owner(TypeDefinition type) => type.IsGenerated() && type.DeclaringType is { } outer ? Owner(outer) : type;

    private static string Signature(MethodReference method) =>
        $"{method.DeclaringType.FullName}.{method.Name}({string.Join(',', method.Parameters.Select(p => p.ParameterType.FullName))})";

    [GeneratedRegex("""<script(?![^>]*\bsrc=)[^>]*>|<style\b|\sstyle\s*=|\son[a-z]+\s*=|\shx-on\b[^=]*=|\sx-html\b|\b(?:hx-vals|hx-headers)\s*=\s*["']js:|\bjavascript:""", RegexOptions.IgnoreCase)]
    private static partial Regex InlineCode();
}

public sealed class DisciplineTests
{
    private static readonly string BannedSymbols = Repository.Read("BannedSymbols.txt").Text;

    [Fact]
    public void Time_is_a_dependency() => DisciplineRules.TimeIsADependency(Product.All).Holds(atLeast: 100);

    [Fact]
    public void A_clock_of_its_own_is_caught() => DisciplineRules.TimeIsADependency(
    [
        Offender.Module("""
            class Told(TimeProvider time)
            {
                public DateTimeOffset At() => time.GetUtcNow();
                public Guid Id() => Guid.CreateVersion7(time.GetUtcNow());
                public Task Wait() => Task.Delay(TimeSpan.FromSeconds(1), time);
            }
            class Utc { public DateTime At() => DateTime.UtcNow; }
            class Local { public DateTimeOffset At() => DateTimeOffset.Now; }
            class Sleeps { public void Wait() => Thread.Sleep(1); }
            class Delays { public async Task Wait(CancellationToken stop) { await Task.Yield(); await Task.Delay(1, stop); } }
            class Random { public Guid Id() => Guid.NewGuid(); }
            class Seven { public Guid Id() => Guid.CreateVersion7(); }
            class Ticks { public PeriodicTimer Timer { get; } = new(TimeSpan.FromSeconds(1)); }
            class Hides { public Func<Task<DateTime>> Now => async () => { await Task.Yield(); return DateTime.Now; }; }
            """),
    ]).Catches("Utc", "Local", "Sleeps", "Delays", "Random", "Seven", "Ticks", "Hides");

    [Fact]
    public void The_analyzer_bans_the_same_clocks() => DisciplineRules.TheAnalyzerKnowsEveryClock(BannedSymbols).Holds(atLeast: 14);

    [Fact]
    public void A_clock_the_analyzer_does_not_know_is_caught() => DisciplineRules.TheAnalyzerKnowsEveryClock(
        BannedSymbols.Replace("P:System.DateTime.UtcNow;", "", StringComparison.Ordinal)).Catches("P:System.DateTime.UtcNow");

    [Fact]
    public void Nobody_silences_the_ban() =>
        DisciplineRules.NobodySilencesTheBan([.. Repository.Sources("src/"), .. Repository.Sources("tests/")]).Holds(atLeast: 50);

    [Fact]
    public void A_silenced_ban_is_caught() => DisciplineRules.NobodySilencesTheBan(
        [new("A.cs", "#pragma warning disable RS0030"), new("B.cs", "#pragma warning disable EF1002")]).Catches("A.cs");

    [Fact]
    public void Logs_are_declared_once_and_structured() => DisciplineRules.LogsAreDeclared(Product.All).Holds(atLeast: 60);

    [Fact]
    public void A_log_line_written_in_place_is_caught() => DisciplineRules.LogsAreDeclared(
    [
        Offender.Module("""
            using Microsoft.Extensions.Logging;
            class Scopes(ILogger logger) { public IDisposable? Begin() => logger.BeginScope("{Id}", 1); }
            class Direct(ILogger logger) { public void Do(int id) => logger.LogInformation($"did {id}"); }
            class Raw(ILogger logger) { public void Do() => logger.Log(LogLevel.Error, default, "", null, (s, _) => s); }
            class Later(ILogger<Later> logger) { public Func<Task> Do => async () => { await Task.Yield(); logger.LogError("x"); }; }
            """),
    ]).Catches("Direct", "Raw", "Later");

    [Fact]
    public void Only_the_host_writes_to_the_console() =>
        DisciplineRules.NobodyWritesToTheConsole(Product.All.Except([Product.Host])).Holds(atLeast: 50);

    [Fact]
    public void Writing_to_the_console_is_caught() => DisciplineRules.NobodyWritesToTheConsole(
        [Offender.Module("class Quiet { public string Text => \"\"; } class Loud { public void Do() => Console.WriteLine(); }")]).Catches("Loud");

    [Fact]
    public void Names_say_what_a_type_is_for() => DisciplineRules.NamesMeanSomething(Product.All).Holds(atLeast: 60);

    [Fact]
    public void A_name_that_says_nothing_is_caught() => DisciplineRules.NamesMeanSomething(
        [Offender.Module("class Good; class Managerial; class TextHelper; static class DateUtils; class JobManager<T>; class Common;")])
        .Catches("TextHelper", "DateUtils", "JobManager`1", "Common");

    [Fact]
    public void Markup_holds_no_inline_script_or_style() => DisciplineRules.MarkupHoldsNoCode(Repository.Sources("src/", ".razor")).Holds();

    [Theory]
    [InlineData("<script>alert(1)</script>")]
    [InlineData("<style>a { }</style>")]
    [InlineData("<p style=\"color: red\">")]
    [InlineData("<a onclick=\"go()\">")]
    [InlineData("<a href=\"javascript:go()\">")]
    [InlineData("<a hx-on:click=\"go()\">")]
    [InlineData("<a x-html=\"text\">")]
    [InlineData("<a hx-vals='js:{a: 1}'>")]
    public void Inline_code_is_caught(string markup) => DisciplineRules.MarkupHoldsNoCode(
        [new("Bad.razor", markup), new("Good.razor", "<script type=\"module\" src=\"/app.js\"></script><p class=\"on\" hx-get=\"/a\" x-on:click=\"open\">")]).Catches("Bad.razor");
}
