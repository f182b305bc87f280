namespace SevenX42.Modules.Identity.Features;

/// <summary>What a form shows again after it was refused: what was typed (never a password), and what is wrong with it.</summary>
/// <param name="Error">One sentence.</param>
/// <param name="Field">The field it belongs to, or <see langword="null"/> for the whole form.</param>
/// <param name="IsInput">Whether it lies in what was typed, and not in the moment or in somebody's rights.</param>
public sealed record FormErrorVm(string Error, string? Field, bool IsInput)
{
    internal static FormErrorVm Of(Error error) => new(error.Message, error.Field, error.Kind is ErrorKind.Invalid);

    /// <summary>What is wrong with a field.</summary>
    public string? For(string field) => string.Equals(Field, field, StringComparison.OrdinalIgnoreCase) ? Error : null;
}
