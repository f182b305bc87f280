using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using k8s;
using k8s.Models;
using SevenX42.Testing;

namespace SevenX42.Deployment.Tests;

/// <summary>What an overlay renders to.</summary>
public sealed class Manifests
{
    private static readonly Dictionary<string, Type> CustomKinds = new()
    {
        ["gateway.networking.k8s.io/v1/HTTPRoute"] = typeof(HttpRoute),
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(ServiceMonitor),
        ["keda.sh/v1alpha1/ScaledObject"] = typeof(ScaledObject),
    };

    private static readonly ConcurrentDictionary<string, Lazy<string>> Rendered = new();
    private static readonly Lazy<string?> Kubectl = new(WhatIsWrongWithKubectl);

    private readonly IReadOnlyList<object> _objects;

    private Manifests(string text) => (Text, _objects) = (text, KubernetesYaml.LoadAllFromString(text, CustomKinds, strict: true));

    /// <summary>The overlays there are.</summary>
    public static IReadOnlyList<string> Overlays { get; } =
        [.. Directory.EnumerateDirectories(Path.Combine(Repository.Root, "k8s", "overlays")).Select(d => Path.GetFileName(d)).Order()];

    public string Text { get; }

    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects => [.. _objects.Cast<IKubernetesObject<V1ObjectMeta>>()];

    /// <summary>Every template of pods, with what makes pods of it.</summary>
    public IReadOnlyList<Workload> Workloads =>
    [
        .. Of<V1Deployment>().Select(d => new Workload(d.Metadata.Name, d.Spec.Template)),
        .. Of<V1Job>().Select(j => new Workload(j.Metadata.Name, j.Spec.Template)),
    ];

    /// <summary>Those that run the application.</summary>
    public IReadOnlyList<Workload> Ours => [.. Workloads.Where(w => w.Name.StartsWith("sevenx42-", StringComparison.Ordinal))];

    /// <summary>Renders an overlay, as `kubectl apply -k` does.</summary>
    public static Manifests Of(string overlay) => Parse(Render(overlay));

    /// <summary>Renders an overlay that stands anywhere.</summary>
    public static Manifests OfFolder(string folder) => Parse(Kustomize(folder));

    /// <summary>The overlay with one change planted in what it renders to.</summary>
    public static Manifests Planted(string overlay, string text, string with)
    {
        var rendered = Render(overlay);
        Assert.Contains(text, rendered, StringComparison.Ordinal);
        return Parse(rendered.Replace(text, with, StringComparison.Ordinal));
    }

    /// <summary>Reads manifests; a field that its kind does not have is refused.</summary>
    public static Manifests Parse(string text) => new(text);

    public static string Render(string overlay) => Rendered.GetOrAdd(overlay, name => new(() => Kustomize(Path.Combine("k8s", "overlays", name)))).Value;

    public IReadOnlyList<T> Of<T>() => [.. _objects.OfType<T>()];

    /// <summary>Skips the test where overlays can't be rendered.</summary>
    public static void NeedKubectl() => Assert.SkipUnless(Kubectl.Value is null, Kubectl.Value ?? "");

    private static string? WhatIsWrongWithKubectl()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("kubectl", ["version", "--client", "--output=json"]) { RedirectStandardOutput = true })!;
            var version = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            // Only those say so that have one from the time since kustomize knows components.
            return version.Contains("kustomizeVersion", StringComparison.Ordinal) ? null : "This kubectl is too old to render the manifests: 1.24 or later does.";
        }
        catch (Win32Exception)
        {
            return "The manifests are rendered by kubectl, and there is none.";
        }
    }

    private static string Kustomize(string folder)
    {
        using var process = Process.Start(new ProcessStartInfo("kubectl", ["kustomize", folder])
        {
            WorkingDirectory = Repository.Root,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{folder}: {error.Result}");
    }
}

/// <summary>Pods and what makes them.</summary>
public sealed record Workload(string Name, V1PodTemplateSpec Template)
{
    public V1PodSpec Pod => Template.Spec;

    public IReadOnlyList<V1Container> Containers => [.. Pod.Containers, .. Pod.InitContainers ?? []];

    public V1Container Container => Pod.Containers.Single();

    public string Component => Template.Metadata.Labels["app.kubernetes.io/component"];
}
