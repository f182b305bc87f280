namespace SevenX42.Modules.Generation.Domain;

/// <summary>A model's id: the provider's name, a slash, and the provider's own name of the model (which may hold slashes).</summary>
internal readonly record struct ModelId(string Provider, string Model)
{
    /// <summary>Splits at the first slash. An id without one has an empty provider, which nobody is.</summary>
    public static ModelId Parse(string id)
    {
        var slash = id.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? new ModelId("", id) : new ModelId(id[..slash], id[(slash + 1)..]);
    }

    public override string ToString() => $"{Provider}/{Model}";
}
