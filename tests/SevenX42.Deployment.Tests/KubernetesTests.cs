using System.Runtime.CompilerServices;
using k8s.Models;
using SevenX42.Testing;
using YamlDotNet.RepresentationModel;

namespace SevenX42.Deployment.Tests;

/// <summary>Every overlay, rendered and held to the rules; each rule is shown to catch a planted offender.</summary>
public sealed class KubernetesTests
{
    private const string Production = "production";

    public KubernetesTests() => Manifests.NeedKubectl();

    public static TheoryData<string> Overlays => [.. Manifests.Overlays];

    public static TheoryData<string> Scaled => [.. Manifests.Overlays.Where(o => o.StartsWith(Production, StringComparison.Ordinal))];

    [Fact]
    public void There_is_an_overlay_for_development_and_some_for_production() =>
        Assert.Equal(["development", "production", "production-ingress", "production-keda", "production-s3"], Manifests.Overlays);

    [Theory, MemberData(nameof(Overlays))]
    public void An_overlay_has_no_field_that_its_kind_does_not_have(string overlay) => Assert.True(Manifests.Of(overlay).Objects.Count > 15);

    [Theory]
    [InlineData("livenessProbe:", "livelinessProbe:")]
    [InlineData("parentRefs:", "parents:")]
    [InlineData("replicas: ", "replica: ", "development")]
    public void A_field_that_is_no_field_is_caught(string text, string with, string overlay = Production) =>
        Assert.ThrowsAny<Exception>(() => Manifests.Planted(overlay, text, with));

    [Theory, MemberData(nameof(Overlays))]
    public void Values_of_a_few_words_are_ones_there_are(string overlay) => Hold(Schema.UnknownWords(Manifests.Render(overlay)));

    [Theory]
    [InlineData("type: RollingUpdate", "type: Rolling")]
    [InlineData("protocol: TCP", "protocol: Tcp")]
    [InlineData("whenUnsatisfiable: ScheduleAnyway", "whenUnsatisfiable: Anyway")]
    [InlineData("effect: NoSchedule", "effect: NoScheduling")]
    [InlineData("type: AverageValue", "type: Average")]
    [InlineData("- ReadWriteMany", "- ReadWriteAll")]
    [InlineData("unhealthyPodEvictionPolicy: AlwaysAllow", "unhealthyPodEvictionPolicy: Always")]
    public void A_word_that_means_nothing_is_caught(string text, string with) =>
        Caught(Schema.UnknownWords(Replaced(text, with)));

    [Theory, MemberData(nameof(Overlays))]
    public void What_a_kind_requires_is_there(string overlay) => Hold(Schema.MissingFields(Manifests.Render(overlay)));

    [Theory]
    [InlineData("        image: 7x42:0.1.0\n", "")]
    [InlineData("  maxReplicas: 20\n", "")]
    [InlineData("        key: ConnectionStrings__Redis\n", "")]
    [InlineData("      restartPolicy: Never\n", "", "restartPolicy")]
    public void A_missing_field_is_caught(string text, string with, string? name = null)
    {
        var missing = Schema.MissingFields(Replaced(text, with)).ToList();
        Assert.NotEmpty(missing);
        Assert.All(name is null ? [] : missing, m => Assert.Contains(name!, m, StringComparison.Ordinal));
    }

    [Theory, MemberData(nameof(Overlays))]
    public void Nobody_is_root(string overlay) => Hold(Rules.NobodyIsRoot(Manifests.Of(overlay)));

    [Fact]
    public void A_pod_of_roots_is_caught() => Caught(Rules.NobodyIsRoot, "runAsNonRoot: true", "runAsNonRoot: false");

    [Theory, MemberData(nameof(Overlays))]
    public void The_application_runs_as_its_images_user(string overlay) => Hold(Rules.OursRunAsTheImagesUser(Manifests.Of(overlay)));

    [Fact]
    public void Another_user_is_caught() => Caught(Rules.OursRunAsTheImagesUser, "runAsUser: 1654", "runAsUser: 1000");

    [Theory, MemberData(nameof(Overlays))]
    public void Containers_may_do_nothing_and_write_nowhere(string overlay) => Hold(Rules.ContainersMayDoNothing(Manifests.Of(overlay)));

    [Theory]
    [InlineData("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false")]
    [InlineData("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")]
    [InlineData("- ALL", "- NET_RAW")]
    public void A_container_that_may_do_something_is_caught(string text, string with) => Caught(Rules.ContainersMayDoNothing, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Pods_share_nothing_with_their_node(string overlay) => Hold(Rules.PodsShareNothingWithTheNode(Manifests.Of(overlay)));

    [Fact]
    public void A_pod_on_the_nodes_network_is_caught() => Caught(Rules.PodsShareNothingWithTheNode, "enableServiceLinks: false", "enableServiceLinks: false\n      hostNetwork: true");

    [Theory, MemberData(nameof(Overlays))]
    public void Pods_hold_no_token_of_the_clusters(string overlay) => Hold(Rules.PodsHoldNoToken(Manifests.Of(overlay)));

    [Fact]
    public void A_pod_with_a_token_is_caught() => Caught(Rules.PodsHoldNoToken, "automountServiceAccountToken: false", "automountServiceAccountToken: true");

    [Theory, MemberData(nameof(Overlays))]
    public void Everything_stands_in_a_restricted_namespace(string overlay) => Hold(Rules.NamespaceIsRestricted(Manifests.Of(overlay)));

    [Theory]
    [InlineData("enforce: restricted", "enforce: baseline")]
    [InlineData("namespace: sevenx42\n", "namespace: default\n")]
    public void A_namespace_that_allows_more_is_caught(string text, string with) => Caught(Rules.NamespaceIsRestricted, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Resources_are_bounded(string overlay) => Hold(Rules.ResourcesAreBounded(Manifests.Of(overlay)));

    [Theory]
    [InlineData("          limits:\n            memory: 1Gi\n", "")]
    [InlineData("sizeLimit: 256Mi", "medium: Memory")]
    public void Unbounded_resources_are_caught(string text, string with) => Caught(Rules.ResourcesAreBounded, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Secrets_are_references(string overlay) => Hold(Rules.SecretsAreReferences(Manifests.Of(overlay)));

    [Theory]
    [InlineData("Generation__DrainTime: ", "Identity__KeyEncryptionSecret: ")]
    [InlineData("kind: ServiceAccount", "kind: Secret")]
    public void A_secret_in_the_open_is_caught(string text, string with) =>
        Caught(m => Rules.SecretsAreReferences(m), text, with, also: ("automountServiceAccountToken: false\nkind: Secret", "kind: Secret"));

    [Theory, MemberData(nameof(Overlays))]
    public void The_application_reads_what_it_is_given(string overlay) => Hold(Rules.TheApplicationReadsItsEnvironment(Manifests.Of(overlay)));

    [Theory]
    [InlineData("name: Generation__Providers__0__BaseUrl", "name: Generation__Providers__0__Url")]
    [InlineData("Realtime__DrainPeriod: ", "Realtime__DrainTime: ")]
    [InlineData("key: ConnectionStrings__Redis", "key: redis")]
    public void A_variable_that_nobody_reads_is_caught(string text, string with) => Caught(Rules.TheApplicationReadsItsEnvironment, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Each_role_has_what_it_needs(string overlay) => Hold(Rules.RolesHaveWhatTheyNeed(Manifests.Of(overlay)));

    [Theory]
    [InlineData("value: Worker", "value: Background")]
    [InlineData("name: Identity__KeyEncryptionSecret\n", "name: Identity__KeyEncryptionSecretFile\n")]
    public void A_role_that_can_not_start_is_caught(string text, string with) => Caught(Rules.RolesHaveWhatTheyNeed, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Images_are_this_release_or_pinned(string overlay) => Hold(Rules.ImagesAreOursOrPinned(Manifests.Of(overlay)));

    [Theory]
    [InlineData("development", "postgres:17", "postgres:latest")]
    [InlineData("production", "7x42:0.1.0", "7x42:latest")]
    public void An_image_that_moves_is_caught(string overlay, string text, string with) => Assert.NotEmpty(Rules.ImagesAreOursOrPinned(Manifests.Planted(overlay, text, with)));

    [Theory, MemberData(nameof(Overlays))]
    public void Ports_are_the_images_and_services_lead_to_them(string overlay) => Hold(Rules.PortsAreTheImages(Manifests.Of(overlay)));

    [Theory]
    [InlineData("containerPort: 8080", "containerPort: 80")]
    [InlineData("targetPort: http", "targetPort: web")]
    public void A_port_that_leads_nowhere_is_caught(string text, string with) => Caught(Rules.PortsAreTheImages, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Probes_ask_the_application_and_liveness_depends_on_nothing(string overlay) => Hold(Rules.ProbesAskTheApplication(Manifests.Of(overlay)));

    [Theory]
    [InlineData("path: /health/live", "path: /health/ready")]
    [InlineData("path: /health/ready", "path: /ready")]
    [InlineData("timeoutSeconds: 4", "timeoutSeconds: 1")]
    public void A_probe_of_something_else_is_caught(string text, string with) => Caught(Rules.ProbesAskTheApplication, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Nobody_is_killed_before_the_drain_ends(string overlay) => Hold(Rules.GraceCoversTheDrain(Manifests.Of(overlay)));

    [Theory]
    [InlineData("terminationGracePeriodSeconds: 45", "terminationGracePeriodSeconds: 30")]
    [InlineData("terminationGracePeriodSeconds: 25", "terminationGracePeriodSeconds: 60")]
    [InlineData("Realtime__DrainPeriod: \"00:00:15\"", "Realtime__DrainPeriod: \"00:00:28\"")]
    [InlineData("Generation__DrainTime: \"00:00:12\"", "Generation__DrainTime: \"00:00:20\"")]
    [InlineData("seconds: 5", "seconds: 1")]
    public void A_drain_that_is_cut_short_is_caught(string text, string with) => Caught(Rules.GraceCoversTheDrain, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Nothing_needs_a_shell(string overlay) => Hold(Rules.NoCommandNeedsAShell(Manifests.Of(overlay)));

    [Fact]
    public void A_command_for_a_shell_is_caught() =>
        Caught(Rules.NoCommandNeedsAShell, "            sleep:\n              seconds: 5\n", "            exec:\n              command: [sleep, \"5\"]\n");

    [Theory, MemberData(nameof(Overlays))]
    public void Workers_prefer_spot_nodes_and_nothing_else_goes_there(string overlay) => Hold(Rules.WorkersPreferSpotNodes(Manifests.Of(overlay)));

    [Theory]
    [InlineData("effect: NoSchedule", "effect: NoExecute")]
    [InlineData("value: \"true\"", "value: \"false\"")]
    public void A_worker_that_stays_off_spot_nodes_is_caught(string text, string with) => Caught(Rules.WorkersPreferSpotNodes, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Pods_are_spread_over_nodes_and_zones(string overlay) => Hold(Rules.PodsAreSpread(Manifests.Of(overlay)));

    [Fact]
    public void Pods_in_one_zone_are_caught() => Caught(Rules.PodsAreSpread, "topologyKey: topology.kubernetes.io/zone", "topologyKey: topology.kubernetes.io/region");

    [Theory, MemberData(nameof(Overlays))]
    public void Disruptions_take_one_pod_at_a_time(string overlay) => Hold(Rules.DisruptionsAreBounded(Manifests.Of(overlay)));

    [Fact]
    public void A_budget_that_allows_more_is_caught() => Caught(Rules.DisruptionsAreBounded, "maxUnavailable: 1", "maxUnavailable: 100%");

    [Theory, MemberData(nameof(Overlays))]
    public void A_deployment_selects_its_own_pods_and_no_others(string overlay) => Hold(Rules.DeploymentsSelectTheirOwnPods(Manifests.Of(overlay)));

    [Theory]
    [InlineData("  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n  strategy:", "  selector:\n    matchLabels:\n      app.kubernetes.io/component: workers\n  strategy:")]
    [InlineData("  selector:\n    matchLabels:\n      app.kubernetes.io/component: worker\n  strategy:", "  selector:\n    matchLabels:\n      app.kubernetes.io/name: sevenx42\n  strategy:")]
    public void A_deployment_that_selects_other_pods_is_caught(string text, string with) => Caught(Rules.DeploymentsSelectTheirOwnPods, text, with);

    [Theory, MemberData(nameof(Scaled))]
    public void In_production_stores_are_managed_and_named_by_the_secret(string overlay) => Hold(Rules.StoresAreManaged(Manifests.Of(overlay)));

    [Fact]
    public void A_store_of_its_own_in_production_is_caught() => Assert.NotEmpty(Rules.StoresAreManaged(Manifests.Of("development")));

    [Theory, MemberData(nameof(Overlays))]
    public void A_rollout_takes_no_pod_away_first(string overlay) => Hold(Rules.RolloutsKeepCapacity(Manifests.Of(overlay)));

    [Fact]
    public void A_rollout_that_takes_pods_away_is_caught() => Caught(Rules.RolloutsKeepCapacity, "maxUnavailable: 0", "maxUnavailable: 1");

    [Theory, MemberData(nameof(Scaled))]
    public void Each_deployment_has_one_scaler(string overlay) => Hold(Rules.EachTargetHasOneScaler(Manifests.Of(overlay)));

    [Fact]
    public void Two_scalers_of_one_deployment_are_caught() =>
        Assert.NotEmpty(Rules.EachTargetHasOneScaler(Manifests.Parse(Manifests.Render(Production) + "\n---\n" + Manifests.Render("production-keda"))));

    [Theory, MemberData(nameof(Scaled))]
    public void Scalers_ask_for_metrics_that_the_application_has(string overlay) => Hold(Rules.ScalersAskForMetricsThereAre(Manifests.Of(overlay)));

    [Theory]
    [InlineData("production")]
    [InlineData("production-keda")]
    public void A_metric_that_nobody_has_is_caught(string overlay) =>
        Assert.NotEmpty(Rules.ScalersAskForMetricsThereAre(Manifests.Planted(overlay, "sevenx42_realtime_connections", "sevenx42_realtime_sockets")));

    [Fact]
    public void The_adapter_makes_every_metric_that_the_autoscalers_ask_for()
    {
        var values = new YamlStream();
        values.Load(new StringReader(File.ReadAllText(Path.Combine(Repository.Root, "k8s", "overlays", Production, "adapter-values.yaml"))));
        var metrics = Manifests.Of(Production).Of<V2HorizontalPodAutoscaler>().SelectMany(h => h.Spec.Metrics)
            .Select(m => m.Pods is null ? ("external", m.External.Metric.Name) : ("custom", m.Pods.Metric.Name)).ToList();

        Assert.Equal(3, metrics.Count);
        Assert.All(metrics, metric => Assert.Contains(metric.Name, SeriesOf(metric.Item1), StringComparison.Ordinal));

        string SeriesOf(string kind) => string.Concat(
            ((YamlSequenceNode)values.Documents[0].RootNode["rules"][kind]).Select(rule => rule["seriesQuery"].ToString()));
    }

    [Theory, MemberData(nameof(Scaled))]
    public void The_queue_is_not_added_up_over_workers(string overlay) => Hold(Rules.TheQueueIsNotAddedUp(Manifests.Of(overlay)));

    [Theory]
    [InlineData("production", "name: sevenx42_generation_running", "name: sevenx42_generation_queue_depth")]
    [InlineData("production-keda", "max(sevenx42", "sum(sevenx42")]
    public void A_queue_that_is_added_up_is_caught(string overlay, string text, string with) =>
        Assert.NotEmpty(Rules.TheQueueIsNotAddedUp(Manifests.Planted(overlay, text, with)));

    [Theory, MemberData(nameof(Scaled))]
    public void Scaling_down_is_slow(string overlay) => Hold(Rules.ScalingDownIsSlow(Manifests.Of(overlay)));

    [Theory]
    [InlineData("production")]
    [InlineData("production-keda")]
    public void A_hasty_scaler_is_caught(string overlay) =>
        Assert.NotEmpty(Rules.ScalingDownIsSlow(Manifests.Planted(overlay, "stabilizationWindowSeconds: 600", "stabilizationWindowSeconds: 30")));

    [Theory, MemberData(nameof(Overlays))]
    public void Traffic_is_denied_both_ways(string overlay) => Hold(Rules.TrafficIsDeniedByDefault(Manifests.Of(overlay)));

    [Fact]
    public void A_way_that_is_left_open_is_caught() =>
        Caught(Rules.TrafficIsDeniedByDefault, "  policyTypes:\n  - Ingress\n  - Egress\n", "  policyTypes:\n  - Ingress\n");

    [Theory, MemberData(nameof(Overlays))]
    public void Exactly_the_listed_traffic_is_allowed(string overlay)
    {
        string[] stores = ["web", "worker", "migrate"];
        var manifests = overlay == "production-ingress"
            ? Manifests.Planted(overlay, "kubernetes.io/metadata.name: ingress", "kubernetes.io/metadata.name: gateway")
            : Manifests.Of(overlay);
        Hold(Rules.ExactlyTheListedTrafficIsAllowed(
            manifests,
            overlay == "development" ? stores.SelectMany(s => (string[])[$"{s} → postgres:5432", $"{s} → redis:6379"]) : []));
    }

    [Theory]
    [InlineData("port: 443", "port: 80")]
    [InlineData("k8s-app: kube-dns", "k8s-app: dns")]
    [InlineData("port: 8081\n      protocol: TCP", "port: 8080\n      protocol: TCP")]
    public void Traffic_that_is_not_listed_is_caught(string text, string with) =>
        Caught(m => Rules.ExactlyTheListedTrafficIsAllowed(m, []), text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Public_addresses_are_reached_and_no_others(string overlay) => Hold(Rules.PublicMeansPublic(Manifests.Of(overlay)));

    [Theory]
    [InlineData("        - 169.254.0.0/16\n", "")]
    [InlineData("cidr: 2000::/3", "cidr: ::/0")]
    public void A_way_to_the_clouds_metadata_is_caught(string text, string with) => Caught(Rules.PublicMeansPublic, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Web_has_an_address_and_a_headless_service(string overlay) => Hold(Rules.WebHasBothServices(Manifests.Of(overlay)));

    [Theory]
    [InlineData("clusterIP: None", "type: ClusterIP")]
    [InlineData("type: ClusterIP", "sessionAffinity: ClientIP")]
    public void A_missing_or_sticky_service_is_caught(string text, string with) => Caught(Rules.WebHasBothServices, text, with);

    [Theory, MemberData(nameof(Overlays))]
    public void Files_outlive_their_pods(string overlay) => Hold(Rules.FilesOutliveTheirPods(Manifests.Of(overlay)));

    [Theory]
    [InlineData("production", "mountPath: /data/media", "mountPath: /media")]
    [InlineData("production", "claimName: sevenx42-media", "claimName: sevenx42-other")]
    [InlineData("production-s3", "name: Media__S3__Bucket\n", "name: Media__S3__Prefix\n")]
    [InlineData("production-s3", "mountPath: /data/media", "mountPath: /media")]
    public void Files_that_go_with_their_pod_are_caught(string overlay, string text, string with) =>
        Assert.NotEmpty(Rules.FilesOutliveTheirPods(Manifests.Planted(overlay, text, with)));

    [Theory, MemberData(nameof(Overlays))]
    public void Migrations_are_a_job(string overlay) => Hold(Rules.MigrationsAreAJob(Manifests.Of(overlay)));

    [Fact]
    public void A_job_that_does_something_else_is_caught() => Caught(Rules.MigrationsAreAJob, "- migrate\n", "- serve\n");

    [Theory, MemberData(nameof(Scaled))]
    public void One_way_leads_in_and_ends_no_socket(string overlay) => Hold(Rules.SomethingLeadsToTheApplication(Manifests.Of(overlay)));

    [Theory]
    [InlineData("production", "request: 0s", "request: 30s")]
    [InlineData("production", "    - name: sevenx42\n      port: 80\n", "    - name: web\n      port: 80\n")]
    [InlineData("production-ingress", "timeout-tunnel: 1h", "timeout-tunnel: 1m")]
    public void A_way_that_leads_nowhere_or_ends_sockets_is_caught(string overlay, string text, string with) =>
        Assert.NotEmpty(Rules.SomethingLeadsToTheApplication(Manifests.Planted(overlay, text, with)));

    [Theory, MemberData(nameof(Scaled))]
    public void Metrics_are_collected(string overlay) => Hold(Rules.MetricsAreCollected(Manifests.Of(overlay)));

    [Fact]
    public void Metrics_that_nobody_collects_are_caught() => Caught(Rules.MetricsAreCollected, "path: /metrics", "path: /prometheus");

    [Fact]
    public void The_readme_s_overlay_is_production_with_what_it_changes()
    {
        var readme = File.ReadAllText(Path.Combine(Repository.Root, "README.md"));
        var text = readme[readme.IndexOf("# my-overlay/kustomization.yaml", StringComparison.Ordinal)..];
        text = string.Join('\n', text[..text.IndexOf("```", StringComparison.Ordinal)].Split('\n').Select(l => l.StartsWith("   ", StringComparison.Ordinal) ? l[3..] : l));
        var folder = Directory.CreateTempSubdirectory("7x42-overlay-");
        try
        {
            const string here = "../7x42/";
            Assert.Contains(here, text, StringComparison.Ordinal);
            File.WriteAllText(
                Path.Combine(folder.FullName, "kustomization.yaml"),
                text.Replace(here, Path.GetRelativePath(folder.FullName, Repository.Root) + "/", StringComparison.Ordinal));
            var rendered = Manifests.OfFolder(folder.FullName);

            Hold(Schema.UnknownWords(rendered.Text));
            Hold(Schema.MissingFields(rendered.Text));
            Hold(Rules.TheApplicationReadsItsEnvironment(rendered));
            Hold(Rules.ExactlyTheListedTrafficIsAllowed(rendered, []));
            Assert.All(rendered.Ours, w => Assert.Equal("registry.example.com/7x42:0.1.0", w.Container.Image));
            Assert.Equal("chat.example.org", Assert.Single(Assert.Single(rendered.Of<HttpRoute>()).Spec.Hostnames));
            Assert.Equal("10.1.0.0/16", Assert.Single(rendered.Of<V1ConfigMap>()).Data["ForwardedHeaders__KnownNetworks__0"]);
            Assert.All((string[])["postgres", "redis"], name => Assert.Equal(
                "10.2.3.0/24", Assert.Single(rendered.Of<V1NetworkPolicy>().Single(p => p.Metadata.Name == name).Spec.Egress.Single().To).IpBlock.Cidr));
            // Nothing else was lost on the way.
            Assert.Equal(Manifests.Of(Production).Objects.Count, rendered.Objects.Count);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Hold(IEnumerable<string> broken) => Assert.Empty(broken);

    private static void Caught(IEnumerable<string> broken) => Assert.NotEmpty(broken);

    private static void Caught(
        Func<Manifests, IEnumerable<string>> rule, string text, string with, (string Text, string With)? also = null,
        [CallerArgumentExpression(nameof(rule))] string name = "")
    {
        Assert.Empty(rule(Manifests.Of(Production)));
        var planted = Replaced(text, with);
        if (also is { } second)
            planted = planted.Replace(second.Text, second.With, StringComparison.Ordinal);
        Assert.True(rule(Manifests.Parse(planted)).Any(), $"{name} does not see that {text} became {with}.");
    }

    private static string Replaced(string text, string with)
    {
        var rendered = Manifests.Render(Production);
        Assert.Contains(text, rendered, StringComparison.Ordinal);
        return rendered.Replace(text, with, StringComparison.Ordinal);
    }
}
