using System.Collections;
using System.Collections.Concurrent;
using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using SevenX42.Host.Startup;
using SevenX42.Testing;

namespace SevenX42.Host.Tests.Startup;

/// <summary>The README's table names every key that the application reads, and none that it does not.</summary>
public sealed partial class ConfigurationTableTests(PostgresServer postgres)
{
    private const string Otlp = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private static readonly HashSet<string> NotForTheTable = new(StringComparer.OrdinalIgnoreCase)
    {
        // By this the Host says that it runs a database of its own.
        "Embedded",

        // The framework's, asked for only by an application that is made and served as this one is.
        "applicationName", "environment", "hostingStartupAssemblies", "hostingStartupExcludeAssemblies",
        "ReadOnlyDataProtectionKeyDirectory", "ReloadStaticAssetsAtRuntime",
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_table_names_every_key_there_is_and_no_other()
    {
        var framework = await AskedByTheFrameworkAsync();
        var recorder = new Recorder();
        IServiceCollection? services = null;
        await using var host = await ApplicationHost.CreateAsync(
            ["--environment", "Development", "--contentRoot", Repository.HostDirectory],
            builder =>
            {
                Configure(builder, recorder);
                builder.Configuration["ConnectionStrings:Postgres"] = postgres.ConnectionString;
                services = builder.Services;
            },
            Cancel);
        await host.App.PrepareDatabaseAsync(Cancel);
        await host.App.StartAsync(Cancel);
        var read = recorder.Asked.Where(k => !framework.Contains(k) && !NotForTheTable.Contains(k))
            // Documented by OpenTelemetry, but for the one that switches it on here.
            .Where(k => k == Otlp || !k.StartsWith("OTEL_", StringComparison.OrdinalIgnoreCase))
            .ToHashSet(StringComparer.OrdinalIgnoreCase);

        var sections = Sections(services!, host.App.Services, recorder).ToList();
        Assert.True(sections.Count >= 6, $"Only {sections.Count} classes of settings were found.");
        read.RemoveWhere(k => sections.Exists(s => k.Equals(s.Name, StringComparison.OrdinalIgnoreCase) || k.StartsWith(s.Name + ":", StringComparison.OrdinalIgnoreCase)));
        Assert.True(read.IsSupersetOf(["Urls", "Role", "DataDirectory", "ConnectionStrings:Postgres_chat"]), string.Join(", ", read));

        var keys = read.Concat(sections.SelectMany(s => Keys(s.Name, s.Settings))).Order(StringComparer.OrdinalIgnoreCase).ToList();
        var documented = Documented().Order(StringComparer.OrdinalIgnoreCase).ToList();
        var missing = keys.Except(documented, StringComparer.OrdinalIgnoreCase).ToList();
        var invented = documented.Except(keys, StringComparer.OrdinalIgnoreCase).ToList();
        Assert.True(missing.Count + invented.Count == 0, $"The README does not name {string.Join(", ", missing)}; nobody reads {string.Join(", ", invented)}.");
        Assert.Equal(documented.Distinct(StringComparer.OrdinalIgnoreCase), documented);
    }

    /// <summary>What an application that is nothing but the framework reads.</summary>
    private static async Task<HashSet<string>> AskedByTheFrameworkAsync()
    {
        var recorder = new Recorder();
        var builder = WebApplication.CreateBuilder();
        Configure(builder, recorder);
        await using var app = builder.Build();
        await app.StartAsync(Cancel);
        await app.StopAsync(Cancel);
        return recorder.Asked.Where(k => !k.Equals("Urls", StringComparison.OrdinalIgnoreCase)).ToHashSet(StringComparer.OrdinalIgnoreCase);
    }

    private static void Configure(WebApplicationBuilder builder, Recorder recorder)
    {
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Urls"] = "http://127.0.0.1:0",
            ["Management:Url"] = "",
            ["Generation:Discovery"] = "false",
            ["Identity:KeyEncryptionSecret"] = "tests-and-nothing-but-tests-f3a9c1e7b5d2",
        });
        builder.Configuration.Sources.Add(recorder);
    }

    /// <summary>The classes that settings are bound to, with the section of each: the first thing that is asked for when one is bound.</summary>
    private static IEnumerable<(string Name, Type Settings)> Sections(IServiceCollection services, IServiceProvider provider, Recorder recorder)
    {
        var configures = services.Select(d => d.ServiceType)
            .Where(t => t.IsGenericType && t.GetGenericTypeDefinition() == typeof(IConfigureOptions<>))
            .Where(t => t.GenericTypeArguments[0].Assembly.GetName().Name!.StartsWith("SevenX42", StringComparison.Ordinal))
            .Distinct();
        foreach (var configure in configures)
        {
            var settings = configure.GenericTypeArguments[0];
            recorder.Reset();
            foreach (var step in provider.GetServices(configure))
                configure.GetMethod(nameof(IConfigureOptions<>.Configure))!.Invoke(step, [Activator.CreateInstance(settings)]);
            var asked = recorder.Asked.Concat(recorder.Listed).Where(k => k.Length > 0).ToList();
            Assert.True(asked.Count > 0, $"{settings} is bound to nothing.");
            yield return (asked.MinBy(k => k.Length)!, settings);
        }
    }

    /// <summary>The keys of a class of settings: one for each value, <c>N</c> for the numbers of a list.</summary>
    private static IEnumerable<string> Keys(string section, Type settings)
    {
        foreach (var property in settings.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var (name, type) = ($"{section}:{property.Name}", Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType);
            var isList = type != typeof(string) && type.IsAssignableTo(typeof(IEnumerable));
            if (isList)
                (name, type) = ($"{name}:N", type.IsArray ? type.GetElementType()! : type.GenericTypeArguments[0]);
            if (type.Assembly.GetName().Name!.StartsWith("SevenX42", StringComparison.Ordinal) && !type.IsEnum)
            {
                foreach (var inner in Keys(name, type))
                    yield return inner;
            }
            else if (isList || property.SetMethod is { IsPublic: true })
            {
                yield return isList ? name[..^":N".Length] : name;
            }
        }
    }

    /// <summary>What stands in the table's first column.</summary>
    private static IEnumerable<string> Documented()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var chapter = readme[readme.IndexOf("## Configuration", StringComparison.Ordinal)..];
        chapter = chapter[..chapter.IndexOf("\n## ", 1, StringComparison.Ordinal)];
        return chapter.Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal))
            .SelectMany(l => Code().Matches(l.Split('|')[1]).Select(m => m.Groups[1].Value))
            .Select(k => k.EndsWith(":N", StringComparison.Ordinal) ? k[..^":N".Length] : k);
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Code();

    /// <summary>Knows no key and remembers what it was asked for.</summary>
    private sealed class Recorder : IConfigurationSource, IConfigurationProvider
    {
        private readonly ConcurrentDictionary<string, bool> _asked = new(StringComparer.OrdinalIgnoreCase);
        private readonly ConcurrentDictionary<string, bool> _listed = new(StringComparer.OrdinalIgnoreCase);

        /// <summary>Keys whose values were asked for.</summary>
        public IReadOnlyList<string> Asked => [.. _asked.Keys];

        /// <summary>Keys whose children were asked for.</summary>
        public IReadOnlyList<string> Listed => [.. _listed.Keys];

        public void Reset()
        {
            _asked.Clear();
            _listed.Clear();
        }

        public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

        public bool TryGet(string key, out string? value)
        {
            _asked[key] = true;
            value = null;
            return false;
        }

        public IEnumerable<string> GetChildKeys(IEnumerable<string> earlierKeys, string? parentPath)
        {
            if (parentPath is not null)
                _listed[parentPath] = true;
            return earlierKeys;
        }

        public void Set(string key, string? value)
        {
        }

        public IChangeToken GetReloadToken() => new CancellationChangeToken(CancellationToken.None);

        public void Load()
        {
        }
    }
}
