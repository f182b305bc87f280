namespace SevenX42.Modules.Identity.Domain;

/// <summary>What somebody typed as a password: a value that doesn't show itself in logs, exceptions and debuggers.</summary>
internal readonly record struct Password(string? Value)
{
    public const int MinLength = 10;

    /// <summary>Longer ones would only make the hash slow.</summary>
    public const int MaxLength = 256;

    public string Text => Value ?? "";

    public override string ToString() => "***";
}
