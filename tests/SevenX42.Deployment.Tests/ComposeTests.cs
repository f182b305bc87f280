using System.Text.Json;
using System.Text.RegularExpressions;
using SevenX42.Testing;
using YamlDotNet.RepresentationModel;

namespace SevenX42.Deployment.Tests;

/// <summary>The Compose files and the dashboard say nothing that the application does not know.</summary>
public sealed partial class ComposeTests
{
    public static TheoryData<string> Files => ["compose.yaml", "compose.replicas.yaml"];

    [Theory, MemberData(nameof(Files))]
    public void The_application_reads_what_it_is_given(string file)
    {
        var names = Services(file).Where(s => Image(s.Service) == "7x42")
            .SelectMany(s => Merged((YamlMappingNode)Node(s.Service, "environment")).Select(e => e.ToString())).ToList();
        Assert.True(names.Count >= 4, string.Join(", ", names));
        Assert.All(names, name => Assert.True(ApplicationFacts.Reads(name), $"Nobody reads {name}."));
    }

    [Theory, MemberData(nameof(Files))]
    public void Other_images_are_pinned(string file)
    {
        var images = Services(file).Select(s => Image(s.Service)).Where(i => i != "7x42").ToList();
        Assert.NotEmpty(images);
        Assert.All(images, image => Assert.Matches(Pinned(), image));
    }

    [Theory, MemberData(nameof(Files))]
    public void The_application_runs_without_rights_and_writes_only_its_data(string file)
    {
        var ours = Services(file).Where(s => Image(s.Service) == "7x42").ToList();
        Assert.NotEmpty(ours);
        Assert.All(ours, s =>
        {
            Assert.Equal("true", Value(s.Service, "read_only"));
            Assert.Equal("[ ALL ]", Value(s.Service, "cap_drop"));
            Assert.Equal("[ /tmp ]", Value(s.Service, "tmpfs"));
            Assert.Equal("[ media:/data ]", Value(s.Service, "volumes"));
        });
    }

    [Theory, MemberData(nameof(Files))]
    public void Files_that_are_mounted_are_there(string file)
    {
        var mounted = Services(file).Where(s => s.Service.Children.ContainsKey("volumes"))
            .SelectMany(s => (YamlSequenceNode)s.Service["volumes"]).Select(v => v.ToString().Split(':')[0]).Where(v => v.StartsWith('.')).ToList();
        Assert.NotEmpty(mounted);
        Assert.All(mounted, path => Assert.True(Path.Exists(Path.Combine(Repository.Root, "docker", path)), $"{path} is not there."));
    }

    [Fact]
    public void Profiles_are_those_that_the_readme_names()
    {
        var profiles = Services("compose.yaml").Where(s => s.Service.Children.ContainsKey("profiles"))
            .SelectMany(s => (YamlSequenceNode)s.Service["profiles"]).Select(p => p.ToString()).Distinct().Order().ToList();
        Assert.Equal(["monitoring", "ollama", "storage"], profiles);
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var chapter = readme[readme.IndexOf("### Compose", StringComparison.Ordinal)..readme.IndexOf("### Kubernetes", StringComparison.Ordinal)];
        Assert.All(profiles, profile => Assert.Contains($"`{profile}`", chapter, StringComparison.Ordinal));
    }

    [Fact]
    public void Ports_are_those_that_the_image_listens_on()
    {
        var (app, management) = (ApplicationFacts.ImagePort("Urls"), ApplicationFacts.ImagePort("Management__Url"));
        Assert.Equal($"EXPOSE {app} {management}", ApplicationFacts.Dockerfile.Split('\n').Single(l => l.StartsWith("EXPOSE ", StringComparison.Ordinal)));
        Assert.EndsWith($":{app}", ((YamlSequenceNode)Services("compose.yaml").Single(s => s.Name == "app").Service["ports"]).Single().ToString(), StringComparison.Ordinal);

        var proxy = File.ReadAllText(Path.Combine(Repository.Root, "docker", "nginx.conf"));
        Assert.Contains($"server web:{app} ", proxy, StringComparison.Ordinal);
        var published = ((YamlSequenceNode)Services("compose.replicas.yaml").Single(s => s.Name == "proxy").Service["ports"]).Single().ToString();
        Assert.Contains($"listen {published.Split(':')[^1]};", proxy, StringComparison.Ordinal);

        var scraped = Yaml("monitoring", "prometheus.yaml")["scrape_configs"][0]["dns_sd_configs"][0];
        Assert.Equal(("app", management.ToString(System.Globalization.CultureInfo.InvariantCulture)), (scraped["names"][0].ToString(), scraped["port"].ToString()));
    }

    [Fact]
    public void Three_serve_and_two_generate()
    {
        var services = Services("compose.replicas.yaml").ToDictionary(s => s.Name, s => s.Service);
        Assert.Equal("3", services["web"]["deploy"]["replicas"].ToString());
        Assert.Equal("2", services["worker"]["deploy"]["replicas"].ToString());
        Assert.Equal("Web", services["web"]["environment"]["Role"].ToString());
        Assert.Equal("Worker", services["worker"]["environment"]["Role"].ToString());
    }

    [Fact]
    public void The_proxy_is_believed_lets_sockets_through_and_holds_nothing_back()
    {
        var proxy = File.ReadAllText(Path.Combine(Repository.Root, "docker", "nginx.conf"));
        Assert.All(
            (string[])["client_max_body_size 82m;", "proxy_set_header Upgrade $http_upgrade;", "proxy_buffering off;", "proxy_read_timeout 1h;", "proxy_set_header X-Forwarded-For"],
            line => Assert.Contains(line, proxy, StringComparison.Ordinal));
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docker", "compose.replicas.yaml"));
        var network = Subnet().Match(text).Groups[1].Value;
        Assert.Contains($"ForwardedHeaders__KnownNetworks__0: {network}", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_dashboard_shows_metrics_that_the_application_has()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Path.Combine(Repository.Root, "docker", "monitoring", "dashboards", "sevenx42.json")));
        var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().ToList();
        var names = panels.SelectMany(p => p.GetProperty("targets").EnumerateArray())
            .SelectMany(t => Metric().Matches(t.GetProperty("expr").GetString()!).Select(m => m.Value)).ToHashSet();
        Assert.All(names, name => Assert.Contains(name, ApplicationFacts.Metrics));
        Assert.Superset(
            (HashSet<string>)
            [
                "sevenx42_realtime_connections", "sevenx42_generation_first_token_seconds_bucket", "sevenx42_generation_tokens_total",
                "sevenx42_generation_queue_depth", "sevenx42_generation_finished_total", "sevenx42_generation_dead_letters_total",
                "sevenx42_channel_log_missed_hints_total", "sevenx42_channel_log_failures_total", "sevenx42_limits_alone_total",
                "sevenx42_channel_log_lag_seconds_bucket",
            ],
            names);

        // From where they are, on what there is.
        var source = Yaml("monitoring", "datasource.yaml")["datasources"][0];
        Assert.All(panels, p => Assert.Equal(source["uid"].ToString(), p.GetProperty("datasource").GetProperty("uid").GetString()));
        Assert.Equal("http://prometheus:9090", source["url"].ToString());
        var folder = Yaml("monitoring", "dashboards.yaml")["providers"][0]["options"]["path"].ToString();
        var mounts = ((YamlSequenceNode)Services("compose.yaml").Single(s => s.Name == "grafana").Service["volumes"]).Select(v => v.ToString());
        Assert.Contains($"./monitoring/dashboards:{folder}:ro", mounts);
    }

    private static IEnumerable<(string Name, YamlMappingNode Service)> Services(string file) =>
        ((YamlMappingNode)Yaml(file)["services"]).Children.Select(s => (s.Key.ToString(), (YamlMappingNode)s.Value));

    private static YamlNode Yaml(params string[] path)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(Path.Combine([Repository.Root, "docker", .. path]))));
        return stream.Documents[0].RootNode;
    }

    private static string Image(YamlMappingNode service) => Value(service, "image");

    // A service may take its values from another by "<<".
    private static YamlNode Node(YamlMappingNode map, string key) =>
        map.Children.TryGetValue(key, out var value) ? value : Node((YamlMappingNode)map["<<"], key);

    private static string Value(YamlMappingNode map, string key) => Node(map, key).ToString();

    private static IEnumerable<YamlNode> Merged(YamlMappingNode map) => map.Children.SelectMany(c =>
        c.Key.ToString() == "<<" ? Merged((YamlMappingNode)c.Value) : [c.Key]);

    [GeneratedRegex(@"^[a-z0-9.]+/[a-z0-9/\-]+:v?\d[0-9a-z.\-]*$")]
    private static partial Regex Pinned();

    [GeneratedRegex(@"subnet: ([0-9./]+)")]
    private static partial Regex Subnet();

    [GeneratedRegex("sevenx42_[a-z_]+")]
    private static partial Regex Metric();
}
