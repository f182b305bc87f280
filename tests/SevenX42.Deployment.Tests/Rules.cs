using System.Net;
using System.Text.RegularExpressions;
using k8s.Models;

namespace SevenX42.Deployment.Tests;

/// <summary>What every overlay keeps to. A rule returns what breaks it.</summary>
internal static partial class Rules
{
    private const int PreStopSeconds = 5;
    private const int SpotNoticeSeconds = 25;

    public static IEnumerable<string> NobodyIsRoot(Manifests m) => m.Workloads
        .Where(w => w.Pod.SecurityContext is not { RunAsNonRoot: true, RunAsUser: > 0, RunAsGroup: > 0, SeccompProfile.Type: "RuntimeDefault" })
        .Select(w => w.Name);

    public static IEnumerable<string> OursRunAsTheImagesUser(Manifests m)
    {
        var user = long.Parse(UserOfImage().Match(ApplicationFacts.Dockerfile).Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture);
        return m.Ours.Where(w => w.Pod.SecurityContext.RunAsUser != user || w.Pod.SecurityContext.RunAsGroup != user).Select(w => w.Name);
    }

    public static IEnumerable<string> ContainersMayDoNothing(Manifests m) => m.Workloads.SelectMany(w => w.Containers
        .Where(c => c.SecurityContext is not { AllowPrivilegeEscalation: false, ReadOnlyRootFilesystem: true, Privileged: false }
            || c.SecurityContext.Capabilities is not { Add: null, Drop: ["ALL"] })
        .Select(c => $"{w.Name}/{c.Name}"));

    public static IEnumerable<string> PodsShareNothingWithTheNode(Manifests m) => m.Workloads
        .Where(w => w.Pod.HostNetwork == true || w.Pod.HostPID == true || w.Pod.HostIPC == true
            || (w.Pod.Volumes ?? []).Any(v => v.HostPath is not null) || w.Containers.Any(c => (c.Ports ?? []).Any(p => p.HostPort is not null)))
        .Select(w => w.Name);

    public static IEnumerable<string> PodsHoldNoToken(Manifests m) => m.Workloads
        .Where(w => w.Pod.AutomountServiceAccountToken != false || w.Pod.EnableServiceLinks != false).Select(w => w.Name);

    public static IEnumerable<string> NamespaceIsRestricted(Manifests m)
    {
        var space = m.Of<V1Namespace>().Single();
        return ((string[])["enforce", "audit", "warn"])
            .Where(mode => space.Metadata.Labels?.TryGetValue($"pod-security.kubernetes.io/{mode}", out var level) != true || level != "restricted")
            .Concat(m.Objects.Where(o => o is not V1Namespace && o.Metadata.NamespaceProperty != space.Metadata.Name).Select(o => $"{o.Kind}/{o.Metadata.Name}"));
    }

    public static IEnumerable<string> ResourcesAreBounded(Manifests m) => m.Workloads.SelectMany(w => w.Containers
        .Where(c => c.Resources?.Requests?.ContainsKey("cpu") != true || c.Resources.Requests.ContainsKey("memory") != true
            || c.Resources.Limits?.ContainsKey("memory") != true)
        .Select(c => $"{w.Name}/{c.Name}"))
        .Concat(m.Workloads.SelectMany(w => (w.Pod.Volumes ?? []).Where(v => w.Component is "web" or "worker" or "migrate" && v.EmptyDir is { SizeLimit: null })
            .Select(v => $"{w.Name}/{v.Name}")));

    public static IEnumerable<string> SecretsAreReferences(Manifests m) => m.Of<V1Secret>().Select(s => $"Secret/{s.Metadata.Name}")
        .Concat(m.Workloads.SelectMany(w => w.Containers.SelectMany(c => (c.Env ?? [])
            .Where(e => SecretWord().IsMatch(e.Name) && (e.Value is not null || e.ValueFrom?.SecretKeyRef is null)).Select(e => $"{w.Name}/{e.Name}"))))
        .Concat(m.Of<V1ConfigMap>().SelectMany(c => (c.Data ?? new Dictionary<string, string>()).Keys.Where(k => SecretWord().IsMatch(k)).Select(k => $"{c.Metadata.Name}/{k}")));

    public static IEnumerable<string> TheApplicationReadsItsEnvironment(Manifests m)
    {
        var maps = m.Of<V1ConfigMap>().ToDictionary(c => c.Metadata.Name);
        foreach (var workload in m.Ours)
        {
            var names = (workload.Container.Env ?? []).Select(e => e.Name)
                .Concat((workload.Container.EnvFrom ?? []).SelectMany(f => maps[f.ConfigMapRef.Name].Data.Keys));
            foreach (var name in names.Where(n => !ApplicationFacts.Reads(n)))
                yield return $"{workload.Name}: {name}";
            // One name for both: the secret is made from a file of environment variables.
            foreach (var env in (workload.Container.Env ?? []).Where(e => e.ValueFrom is not null && e.ValueFrom.SecretKeyRef?.Key != e.Name))
                yield return $"{workload.Name}: {env.Name} from another key";
        }
    }

    public static IEnumerable<string> RolesHaveWhatTheyNeed(Manifests m)
    {
        (string Component, string[] Names)[] needs =
        [
            ("web", ["Role", "ConnectionStrings__Postgres", "ConnectionStrings__Redis", "Identity__KeyEncryptionSecret"]),
            ("worker", ["Role", "ConnectionStrings__Postgres", "ConnectionStrings__Redis", "Identity__KeyEncryptionSecret"]),
            ("migrate", ["ConnectionStrings__Postgres", "Identity__KeyEncryptionSecret"]),
        ];
        foreach (var (component, names) in needs)
        {
            var workload = m.Ours.SingleOrDefault(w => w.Component == component);
            if (workload is null)
            {
                yield return component;
                continue;
            }

            foreach (var name in names.Where(n => workload.Container.Env.All(e => e.Name != n || e.ValueFrom?.SecretKeyRef?.Optional == true)))
                yield return $"{component}: {name}";
            var role = workload.Container.Env.SingleOrDefault(e => e.Name == "Role")?.Value;
            if (component != "migrate" && !(Enum.TryParse<AppRole>(role, out var parsed) && parsed.ToString().Equals(component, StringComparison.OrdinalIgnoreCase)))
                yield return $"{component}: Role {role}";
        }
    }

    public static IEnumerable<string> ImagesAreOursOrPinned(Manifests m) => m.Workloads.SelectMany(w => w.Containers.Select(c => (w, c.Image)))
        .Where(x => m.Ours.Contains(x.w) ? x.Image != $"7x42:{ApplicationFacts.Version}" : !PinnedImage().IsMatch(x.Image))
        .Select(x => $"{x.w.Name}: {x.Image}");

    public static IEnumerable<string> PortsAreTheImages(Manifests m)
    {
        var exposed = Exposed().Match(ApplicationFacts.Dockerfile).Groups[1].Value.Split(' ').Select(p => int.Parse(p, System.Globalization.CultureInfo.InvariantCulture)).ToHashSet();
        foreach (var workload in m.Ours)
        {
            foreach (var port in workload.Container.Ports ?? [])
            {
                if (!exposed.Contains(port.ContainerPort))
                    yield return $"{workload.Name}: {port.ContainerPort} is not exposed";
            }
        }

        foreach (var service in m.Of<V1Service>())
        {
            var targets = m.Workloads.Where(w => Selects(service.Spec.Selector, w.Template.Metadata.Labels)).ToList();
            foreach (var port in service.Spec.Ports.Where(p => targets.All(t => (t.Container.Ports ?? []).All(c => c.Name != p.TargetPort.Value))))
                yield return $"{service.Metadata.Name}: {port.Name} leads nowhere";
        }
    }

    public static IEnumerable<string> ProbesAskTheApplication(Manifests m)
    {
        foreach (var container in m.Ours.Where(w => w.Component is "web" or "worker").Select(w => w.Container))
        {
            if (container.StartupProbe?.HttpGet is not { Path: "/health/live", Port.Value: "management" })
                yield return $"{container.Name}: startup";
            if (container.ReadinessProbe?.HttpGet is not { Path: "/health/ready", Port.Value: "management" })
                yield return $"{container.Name}: readiness";
            // What depends on a database or on Redis would kill every pod when those are away.
            if (container.LivenessProbe?.HttpGet is not { Path: "/health/live", Port.Value: "management" })
                yield return $"{container.Name}: liveness";
            // Each of the checks behind readiness may take three seconds.
            if (container.ReadinessProbe?.TimeoutSeconds is not > 3)
                yield return $"{container.Name}: readiness waits less than the check";
        }
    }

    public static IEnumerable<string> GraceCoversTheDrain(Manifests m)
    {
        foreach (var workload in m.Ours.Where(w => w.Component is "web" or "worker"))
        {
            var shutdown = int.Parse(workload.Container.Env.Single(e => e.Name == "shutdownTimeoutSeconds").Value, System.Globalization.CultureInfo.InvariantCulture);
            var sleep = workload.Container.Lifecycle?.PreStop?.Sleep?.Seconds ?? 0;
            var drain = TimeSpan.Parse(
                m.Of<V1ConfigMap>().Single().Data[workload.Component == "web" ? "Realtime__DrainPeriod" : "Generation__DrainTime"],
                System.Globalization.CultureInfo.InvariantCulture).TotalSeconds;
            if (workload.Pod.TerminationGracePeriodSeconds < sleep + shutdown)
                yield return $"{workload.Name}: killed after {workload.Pod.TerminationGracePeriodSeconds} s, may need {sleep + shutdown}";
            // A socket closes up to a second after its turn; an answer that is handed over is stored first.
            if (shutdown < drain + 5)
                yield return $"{workload.Name}: has {shutdown} s for a drain of {drain}";
            if (workload.Component == "web" && sleep < PreStopSeconds)
                yield return $"{workload.Name}: stops before everybody knows";
            if (workload.Component == "worker" && workload.Pod.TerminationGracePeriodSeconds > SpotNoticeSeconds)
                yield return $"{workload.Name}: takes longer than a spot node's notice";
        }
    }

    public static IEnumerable<string> NoCommandNeedsAShell(Manifests m) => m.Ours
        .Where(w => w.Container.Command is not null || w.Container.Lifecycle?.PreStop?.Exec is not null
            || w.Container.LivenessProbe?.Exec is not null || w.Container.ReadinessProbe?.Exec is not null || w.Container.StartupProbe?.Exec is not null)
        .Select(w => w.Name);

    public static IEnumerable<string> WorkersPreferSpotNodes(Manifests m)
    {
        foreach (var worker in m.Ours.Where(w => w.Component == "worker"))
        {
            if (worker.Pod.Tolerations?.Any(t => t is { Key: "sevenx42.io/spot", OperatorProperty: "Equal", Value: "true", Effect: "NoSchedule" }) != true)
                yield return "no toleration";
            var affinity = worker.Pod.Affinity?.NodeAffinity;
            if (affinity?.PreferredDuringSchedulingIgnoredDuringExecution is not { Count: > 0 } || affinity.RequiredDuringSchedulingIgnoredDuringExecution is not null)
                yield return "no preference, or more than one";
        }

        foreach (var other in m.Ours.Where(w => w.Component != "worker" && w.Pod.Tolerations is { Count: > 0 }))
            yield return $"{other.Name} tolerates spot nodes";
    }

    public static IEnumerable<string> PodsAreSpread(Manifests m) => m.Ours.Where(w => w.Component is "web" or "worker").SelectMany(w =>
        ((string[])["kubernetes.io/hostname", "topology.kubernetes.io/zone"])
            .Where(key => w.Pod.TopologySpreadConstraints?.Any(c => c.TopologyKey == key && c.LabelSelector.MatchLabels.All(l => w.Template.Metadata.Labels[l.Key] == l.Value)) != true)
            .Select(key => $"{w.Name}: {key}"));

    public static IEnumerable<string> DisruptionsAreBounded(Manifests m) => m.Ours.Where(w => w.Component is "web" or "worker")
        .Where(w => m.Of<V1PodDisruptionBudget>().Count(b => b.Spec.MaxUnavailable?.Value == "1" && Selects(b.Spec.Selector.MatchLabels, w.Template.Metadata.Labels)) != 1)
        .Select(w => w.Name);

    /// <summary>A cluster refuses a Deployment that does not select its own pods, and two of the same pods take each other's away.</summary>
    public static IEnumerable<string> DeploymentsSelectTheirOwnPods(Manifests m) => m.Of<V1Deployment>()
        .Where(d => m.Workloads.Where(w => Selects(d.Spec.Selector.MatchLabels, w.Template.Metadata.Labels)).Select(w => w.Name).ToList() is not [var only] || only != d.Metadata.Name)
        .Select(d => d.Metadata.Name);

    /// <summary>In production, PostgreSQL and Redis are somebody else's, and the secret says where.</summary>
    public static IEnumerable<string> StoresAreManaged(Manifests m) => m.Workloads.Except(m.Ours).Select(w => w.Name)
        .Concat(m.Ours.SelectMany(w => w.Container.Env.Where(e => e.Name.StartsWith("ConnectionStrings__", StringComparison.Ordinal) && e.ValueFrom?.SecretKeyRef is null).Select(e => $"{w.Name}/{e.Name}")));

    public static IEnumerable<string> RolloutsKeepCapacity(Manifests m) => m.Of<V1Deployment>().Where(d => d.Metadata.Name.StartsWith("sevenx42-", StringComparison.Ordinal))
        .Where(d => d.Spec.Strategy is not { Type: "RollingUpdate", RollingUpdate.MaxUnavailable.Value: "0" }).Select(d => d.Metadata.Name);

    public static IEnumerable<string> EachTargetHasOneScaler(Manifests m)
    {
        var targets = m.Of<V2HorizontalPodAutoscaler>().Select(h => h.Spec.ScaleTargetRef.Name).Concat(m.Of<ScaledObject>().Select(s => s.Spec.ScaleTargetRef.Name)).ToList();
        return targets.GroupBy(t => t).Where(g => g.Count() > 1).Select(g => g.Key)
            .Concat(((string[])["sevenx42-web", "sevenx42-worker"]).Except(targets))
            .Concat(targets.Except(m.Of<V1Deployment>().Select(d => d.Metadata.Name)))
            // The autoscaler and whoever applies the manifests would take turns.
            .Concat(m.Of<V1Deployment>().Where(d => targets.Contains(d.Metadata.Name) && d.Spec.Replicas is not null).Select(d => $"{d.Metadata.Name} has replicas"));
    }

    public static IEnumerable<string> ScalersAskForMetricsThereAre(Manifests m)
    {
        var metrics = m.Of<V2HorizontalPodAutoscaler>().SelectMany(h => h.Spec.Metrics).Select(x => x.Pods?.Metric.Name ?? x.External?.Metric.Name ?? "none")
            .Concat(m.Of<ScaledObject>().SelectMany(s => s.Spec.Triggers).SelectMany(t => MetricName().Matches(t.Metadata["query"]).Select(x => x.Value)))
            .ToList();
        return metrics.Count == 0 ? ["none at all"] : metrics.Where(name => !ApplicationFacts.Metrics.Contains(name));
    }

    /// <summary>Every worker tells the length of the one queue: added up over pods, it would grow with every worker that comes.</summary>
    public static IEnumerable<string> TheQueueIsNotAddedUp(Manifests m) => m.Of<V2HorizontalPodAutoscaler>().SelectMany(h => h.Spec.Metrics)
        .Where(x => x.Pods?.Metric.Name == "sevenx42_generation_queue_depth").Select(_ => "pods metric")
        .Concat(m.Of<ScaledObject>().SelectMany(s => s.Spec.Triggers).Select(t => t.Metadata["query"])
            .Where(q => q.Contains("queue_depth", StringComparison.Ordinal) && !q.StartsWith("max(", StringComparison.Ordinal)));

    public static IEnumerable<string> ScalingDownIsSlow(Manifests m) =>
        m.Of<V2HorizontalPodAutoscaler>().Select(h => (h.Metadata.Name, Down: h.Spec.Behavior?.ScaleDown))
            .Concat(m.Of<ScaledObject>().Select(s => (s.Metadata.Name, Down: (V2HPAScalingRules?)s.Spec.Advanced.HorizontalPodAutoscalerConfig.Behavior.ScaleDown)))
            .Where(x => x.Down is not { StabilizationWindowSeconds: >= 300 } || x.Down.Policies is not [{ Type: "Pods", Value: 1, PeriodSeconds: >= 60 }])
            .Select(x => x.Name);

    public static IEnumerable<string> TrafficIsDeniedByDefault(Manifests m) => m.Of<V1NetworkPolicy>().Any(p =>
        p.Spec.PodSelector is { MatchLabels: null or { Count: 0 }, MatchExpressions: null or { Count: 0 } }
        && p.Spec.PolicyTypes.ToHashSet().SetEquals(["Ingress", "Egress"]) && p.Spec.Ingress is null or { Count: 0 } && p.Spec.Egress is null or { Count: 0 })
        ? [] : ["no policy denies everything"];

    /// <summary>Which ports of whom may be reached, and by what: nothing beyond the list, and everything on it.</summary>
    public static IEnumerable<string> ExactlyTheListedTrafficIsAllowed(Manifests m, IEnumerable<string> extra)
    {
        string[] expected =
        [
            "migrate → addresses:5432", "web → addresses:5432", "worker → addresses:5432", "web → addresses:6379", "worker → addresses:6379",
            "web → public:443", "worker → public:443", "web → monitoring:4317", "worker → monitoring:4317",
            "all → kube-system/kube-dns:53/UDP", "all → kube-system/kube-dns:53", "gateway → web:8080", "monitoring → web:8081", "monitoring → worker:8081",
            .. extra,
        ];
        var allowed = m.Of<V1NetworkPolicy>().SelectMany(Allowed).Distinct().ToList();
        return allowed.Except(expected).Select(a => $"allows {a}").Concat(expected.Except(allowed).Select(e => $"does not allow {e}"));
    }

    /// <summary>What "public" leaves out.</summary>
    public static IEnumerable<string> PublicMeansPublic(Manifests m)
    {
        string[] closed = ["10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254", "127.0.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "fd00::1", "fe80::1", "fd00:ec2::254"];
        string[] open = ["1.1.1.1", "104.18.6.192", "172.15.0.1", "172.32.0.1", "2606:4700::1111"];
        var blocks = m.Of<V1NetworkPolicy>().Single(p => p.Metadata.Name == "public-https").Spec.Egress.SelectMany(e => e.To).Select(t => t.IpBlock).ToList();
        return closed.Where(Reaches).Select(a => $"reaches {a}").Concat(open.Where(a => !Reaches(a)).Select(a => $"does not reach {a}"));

        bool Reaches(string address) => blocks.Any(b => IPNetwork.Parse(b.Cidr).Contains(IPAddress.Parse(address))
            && !(b.Except ?? []).Any(e => IPNetwork.Parse(e).Contains(IPAddress.Parse(address))));
    }

    public static IEnumerable<string> WebHasBothServices(Manifests m)
    {
        var services = m.Of<V1Service>().Where(s => m.Ours.Any(w => w.Component == "web" && Selects(s.Spec.Selector, w.Template.Metadata.Labels))).ToList();
        if (services.All(s => s.Spec.ClusterIP == "None"))
            yield return "no service with an address";
        if (services.All(s => s.Spec.ClusterIP != "None"))
            yield return "no headless service";
        foreach (var sticky in services.Where(s => s.Spec.SessionAffinity is not (null or "None")))
            yield return $"{sticky.Metadata.Name} is sticky";
    }

    public static IEnumerable<string> FilesOutliveTheirPods(Manifests m)
    {
        // A claim that all share, or a bucket; then no claim is left that nobody uses, and what comes in has a folder all the same.
        var claim = m.Of<V1PersistentVolumeClaim>().SingleOrDefault()?.Metadata.Name;
        foreach (var workload in m.Ours.Where(w => w.Component is "web" or "worker"))
        {
            var mounts = workload.Container.VolumeMounts;
            // {DataDirectory}/media, as the table says.
            var volume = workload.Pod.Volumes.SingleOrDefault(v => mounts.Any(p => p.Name == v.Name && p.MountPath == "/data/media"));
            var hasBucket = workload.Container.Env.Any(e => e.Name == "Media__S3__Bucket" && e.ValueFrom?.SecretKeyRef is { Optional: null or false });
            if (hasBucket ? claim is not null || volume?.EmptyDir is null : claim is null || volume?.PersistentVolumeClaim?.ClaimName != claim)
                yield return $"{workload.Name}: files go with the pod";
            if (workload.Container.VolumeMounts.All(v => v.MountPath != "/tmp"))
                yield return $"{workload.Name}: can't take uploads";
        }
    }

    public static IEnumerable<string> MigrationsAreAJob(Manifests m) => m.Of<V1Job>() is [{ Spec: { TtlSecondsAfterFinished: not null, BackoffLimit: > 0 } } job]
        && job.Spec.Template.Spec is { RestartPolicy: "Never", Containers: [{ Args: ["migrate"] }] } ? [] : ["no job that migrates"];

    public static IEnumerable<string> SomethingLeadsToTheApplication(Manifests m)
    {
        var routes = m.Of<HttpRoute>().SelectMany(r => r.Spec.Rules.SelectMany(x => x.BackendRefs).Select(b => (b.Name, (object)b.Port)))
            .Concat(m.Of<V1Ingress>().SelectMany(i => i.Spec.Rules.SelectMany(r => r.Http.Paths).Select(p => (p.Backend.Service.Name, (object)(p.Backend.Service.Port.Name ?? "")))))
            .ToList();
        if (routes.Count != 1)
            yield return $"{routes.Count} ways in";
        foreach (var (name, port) in routes.Where(r => !m.Of<V1Service>().Any(s => s.Metadata.Name == r.Item1 && s.Spec.Ports.Any(p => p.Name.Equals(r.Item2) || p.Port.Equals(r.Item2)))))
            yield return $"{name}:{port} is no service";
        foreach (var rule in m.Of<HttpRoute>().SelectMany(r => r.Spec.Rules).Where(r => r.Timeouts?.Request != "0s"))
            yield return "a route ends sockets";
        foreach (var ingress in m.Of<V1Ingress>().Where(i => i.Metadata.Annotations?.Any(a => a.Key.Contains("timeout-tunnel", StringComparison.Ordinal) && a.Value == "1h") != true))
            yield return "an ingress ends sockets";
    }

    public static IEnumerable<string> MetricsAreCollected(Manifests m) => m.Of<ServiceMonitor>() is [var monitor]
        && m.Of<V1Service>().Any(s => Selects(monitor.Spec.Selector.MatchLabels, s.Metadata.Labels)
            && monitor.Spec.Endpoints.All(e => s.Spec.Ports.Any(p => p.Name == e.Port) && e.Path == "/metrics")) ? [] : ["nobody collects them"];

    private static bool Selects(IDictionary<string, string> selector, IDictionary<string, string> labels) =>
        selector.All(l => labels.TryGetValue(l.Key, out var value) && value == l.Value);

    private static IEnumerable<string> Allowed(V1NetworkPolicy policy)
    {
        var subjects = Components(policy.Spec.PodSelector);
        foreach (var rule in policy.Spec.Egress ?? [])
        {
            foreach (var text in from s in subjects from t in Peers(rule.To) from p in Ports(rule.Ports) select $"{s} → {t}:{p}")
                yield return text;
        }

        foreach (var rule in policy.Spec.Ingress ?? [])
        {
            foreach (var text in from s in subjects from f in Peers(rule.FromProperty) from p in Ports(rule.Ports) select $"{f} → {s}:{p}")
                yield return text;
        }
    }

    private static List<string> Components(V1LabelSelector? selector) =>
        selector?.MatchLabels?.Values.ToList() ?? selector?.MatchExpressions?.SelectMany(e => e.Values).ToList() ?? ["all"];

    private static IEnumerable<string> Peers(IList<V1NetworkPolicyPeer>? peers) => peers is not { Count: > 0 } ? ["anybody"] : peers.SelectMany(p => p switch
    {
        { IpBlock: { } block } => (List<string>)[IPNetwork.Parse(block.Cidr).PrefixLength < 8 ? "public" : "addresses"],
        { NamespaceSelector: { } space, PodSelector: null } => [space.MatchLabels["kubernetes.io/metadata.name"]],
        { NamespaceSelector: { } space, PodSelector: { } pod } => [$"{space.MatchLabels["kubernetes.io/metadata.name"]}/{string.Join('+', pod.MatchLabels.Values)}"],
        _ => Components(p.PodSelector),
    });

    private static IEnumerable<string> Ports(IList<V1NetworkPolicyPort>? ports) =>
        ports is not { Count: > 0 } ? ["any"] : ports.Select(p => p.Port.Value + (p.Protocol is "UDP" ? "/UDP" : ""));

    [GeneratedRegex(@"^USER (\d+)", RegexOptions.Multiline)]
    private static partial Regex UserOfImage();

    [GeneratedRegex("^EXPOSE (.+)$", RegexOptions.Multiline)]
    private static partial Regex Exposed();

    [GeneratedRegex("Password|Secret|ApiKey|ConnectionString|Token", RegexOptions.IgnoreCase)]
    private static partial Regex SecretWord();

    [GeneratedRegex(@"^[a-z0-9.\-]+/[a-z0-9/\-]+:[0-9a-z.\-]*\d[0-9a-z.\-]*$")]
    private static partial Regex PinnedImage();

    [GeneratedRegex("sevenx42_[a-z_]+")]
    private static partial Regex MetricName();
}
