using System.Text.Json.Serialization;
using k8s;
using k8s.Models;

namespace SevenX42.Deployment.Tests;

/// <summary>As much of the kinds that clusters have added to them as is used here: a field that is not named is refused.</summary>
public sealed class HttpRoute : IKubernetesObject<V1ObjectMeta>
{
    public required string ApiVersion { get; set; }

    public required string Kind { get; set; }

    public required V1ObjectMeta Metadata { get; set; }

    public required RouteSpec Spec { get; set; }

    public sealed class RouteSpec
    {
        public required IList<Parent> ParentRefs { get; set; }

        public required IList<string> Hostnames { get; set; }

        public required IList<Rule> Rules { get; set; }
    }

    public sealed class Parent
    {
        public required string Name { get; set; }

        public string? Namespace { get; set; }
    }

    public sealed class Rule
    {
        public IList<Match>? Matches { get; set; }

        public Timeouts? Timeouts { get; set; }

        public required IList<Backend> BackendRefs { get; set; }
    }

    public sealed class Match
    {
        public required PathMatch Path { get; set; }
    }

    public sealed class PathMatch
    {
        public required string Type { get; set; }

        public required string Value { get; set; }
    }

    public sealed class Timeouts
    {
        public string? Request { get; set; }

        public string? BackendRequest { get; set; }
    }

    public sealed class Backend
    {
        public required string Name { get; set; }

        public required int Port { get; set; }
    }
}

public sealed class ServiceMonitor : IKubernetesObject<V1ObjectMeta>
{
    public required string ApiVersion { get; set; }

    public required string Kind { get; set; }

    public required V1ObjectMeta Metadata { get; set; }

    public required MonitorSpec Spec { get; set; }

    public sealed class MonitorSpec
    {
        public required V1LabelSelector Selector { get; set; }

        public required IList<Endpoint> Endpoints { get; set; }
    }

    public sealed class Endpoint
    {
        public required string Port { get; set; }

        public required string Path { get; set; }

        public required string Interval { get; set; }
    }
}

public sealed class ScaledObject : IKubernetesObject<V1ObjectMeta>
{
    public required string ApiVersion { get; set; }

    public required string Kind { get; set; }

    public required V1ObjectMeta Metadata { get; set; }

    public required ScaledSpec Spec { get; set; }

    public sealed class ScaledSpec
    {
        public required Target ScaleTargetRef { get; set; }

        public required int MinReplicaCount { get; set; }

        public required int MaxReplicaCount { get; set; }

        public int PollingInterval { get; set; }

        public required AdvancedSettings Advanced { get; set; }

        public required IList<Trigger> Triggers { get; set; }
    }

    public sealed class Target
    {
        public required string Kind { get; set; }

        public required string Name { get; set; }
    }

    public sealed class AdvancedSettings
    {
        public required AutoscalerConfig HorizontalPodAutoscalerConfig { get; set; }
    }

    public sealed class AutoscalerConfig
    {
        public required V2HorizontalPodAutoscalerBehavior Behavior { get; set; }
    }

    public sealed class Trigger
    {
        public required string Type { get; set; }

        [JsonPropertyName("metricType")]
        public required string MetricType { get; set; }

        public required IDictionary<string, string> Metadata { get; set; }
    }
}
