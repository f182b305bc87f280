using YamlDotNet.RepresentationModel;

namespace SevenX42.Deployment.Tests;

/// <summary>What reading manifests into types does not see: words that are none, and required fields that are missing.</summary>
internal static class Schema
{
    /// <summary>By the end of the path; the longest that fits decides.</summary>
    private static readonly Dictionary<string, string[]> Words = new()
    {
        ["restartPolicy"] = ["Always", "OnFailure", "Never"],
        ["imagePullPolicy"] = ["Always", "IfNotPresent", "Never"],
        ["protocol"] = ["TCP", "UDP", "SCTP"],
        ["pathType"] = ["Prefix", "Exact", "ImplementationSpecific"],
        ["whenUnsatisfiable"] = ["DoNotSchedule", "ScheduleAnyway"],
        ["fsGroupChangePolicy"] = ["OnRootMismatch", "Always"],
        ["unhealthyPodEvictionPolicy"] = ["IfHealthyBudget", "AlwaysAllow"],
        ["seccompProfile/type"] = ["RuntimeDefault", "Localhost", "Unconfined"],
        ["strategy/type"] = ["RollingUpdate", "Recreate"],
        ["spec/type"] = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
        ["metrics/*/type"] = ["Resource", "ContainerResource", "Pods", "Object", "External"],
        ["target/type"] = ["Utilization", "Value", "AverageValue"],
        ["policies/*/type"] = ["Pods", "Percent"],
        ["path/type"] = ["PathPrefix", "Exact", "RegularExpression"],
        ["policyTypes/*"] = ["Ingress", "Egress"],
        ["accessModes/*"] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"],
        ["tolerations/*/operator"] = ["Equal", "Exists"],
        ["tolerations/*/effect"] = ["NoSchedule", "PreferNoSchedule", "NoExecute"],
        ["matchExpressions/*/operator"] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"],
        ["sessionAffinity"] = ["None", "ClientIP"],
        ["triggers/*/type"] = ["prometheus"],
        ["metricType"] = ["AverageValue", "Value", "Utilization"],
    };

    /// <summary>Fields of what stands at the end of a path; a star is each of a list.</summary>
    private static readonly (string Path, string[] Fields)[] Required =
    [
        ("", ["apiVersion", "kind", "metadata"]),
        ("metadata", ["name"]),
        ("containers/*", ["name", "image"]),
        ("containers/*/ports/*", ["name", "containerPort"]),
        ("env/*", ["name"]),
        ("secretKeyRef", ["name", "key"]),
        ("volumes/*", ["name"]),
        ("volumeMounts/*", ["name", "mountPath"]),
        ("persistentVolumeClaim", ["claimName"]),
        ("httpGet", ["path", "port"]),
        ("topologySpreadConstraints/*", ["maxSkew", "topologyKey", "whenUnsatisfiable", "labelSelector"]),
        ("preferredDuringSchedulingIgnoredDuringExecution/*", ["weight", "preference"]),
        ("matchExpressions/*", ["key", "operator"]),
        ("scaleTargetRef", ["kind", "name"]),
        ("policies/*", ["type", "value", "periodSeconds"]),
        ("metrics/*", ["type"]),
        ("metric", ["name"]),
        ("target", ["type"]),
        ("ipBlock", ["cidr"]),
        ("backendRefs/*", ["name", "port"]),
        ("rules/*/http/paths/*", ["path", "pathType", "backend"]),
    ];

    private static readonly Dictionary<string, string[]> RequiredOfKinds = new()
    {
        ["Deployment"] = ["spec/selector/matchLabels", "spec/template/metadata/labels", "spec/template/spec/containers"],
        ["Job"] = ["spec/template/spec/containers", "spec/template/spec/restartPolicy"],
        ["Service"] = ["spec/ports", "spec/selector"],
        ["HorizontalPodAutoscaler"] = ["spec/scaleTargetRef", "spec/minReplicas", "spec/maxReplicas", "spec/metrics"],
        ["PersistentVolumeClaim"] = ["spec/accessModes", "spec/resources/requests/storage"],
        ["PodDisruptionBudget"] = ["spec/selector/matchLabels"],
        ["NetworkPolicy"] = ["spec/podSelector", "spec/policyTypes"],
        ["Ingress"] = ["spec/rules"],
    };

    public static IEnumerable<string> UnknownWords(string text) =>
        from node in Documents(text).SelectMany(d => Walk(d, ""))
        where node.Node is YamlScalarNode
        let words = Words.Where(w => Ends(node.Path, w.Key)).OrderByDescending(w => w.Key.Length).Select(w => w.Value).FirstOrDefault()
        where words is not null && !words.Contains(((YamlScalarNode)node.Node).Value)
        select $"{node.Path}: {node.Node}";

    public static IEnumerable<string> MissingFields(string text)
    {
        foreach (var document in Documents(text))
        {
            foreach (var (path, node) in Walk(document, "").Where(n => n.Node is YamlMappingNode))
            {
                foreach (var field in Required.Where(r => r.Path.Length == 0 ? path.Length == 0 : Applies(path, r.Path)).SelectMany(r => r.Fields))
                {
                    if (!((YamlMappingNode)node).Children.ContainsKey(field))
                        yield return $"{path}: {field}";
                }
            }

            var kind = document["kind"].ToString();
            foreach (var path in RequiredOfKinds.GetValueOrDefault(kind) ?? [])
            {
                if (Find(document, path) is null)
                    yield return $"{kind}: {path}";
            }
        }
    }

    // A template's metadata has no name.
    private static bool Applies(string path, string required) => required == "metadata" ? path == "metadata" : Ends(path, required);

    private static bool Ends(string path, string end) => path == end || path.EndsWith("/" + end, StringComparison.Ordinal);

    private static YamlNode? Find(YamlNode node, string path) => path.Split('/').Aggregate(
        (YamlNode?)node, (at, name) => at is YamlMappingNode map && map.Children.TryGetValue(name, out var child) ? child : null);

    private static IEnumerable<YamlMappingNode> Documents(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return stream.Documents.Select(d => (YamlMappingNode)d.RootNode);
    }

    private static IEnumerable<(string Path, YamlNode Node)> Walk(YamlNode node, string path)
    {
        yield return (path, node);
        var children = node switch
        {
            YamlMappingNode map => map.Children.Select(c => (c.Key.ToString(), c.Value)),
            YamlSequenceNode list => list.Children.Select(c => ("*", c)),
            _ => [],
        };
        foreach (var (name, child) in children)
        {
            foreach (var inner in Walk(child, path.Length == 0 ? name : $"{path}/{name}"))
                yield return inner;
        }
    }
}
