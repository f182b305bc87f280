namespace SevenX42.ArchitectureTests;

/// <summary>
/// What a rule looked at and what it found. A rule is a function from its subject to a verdict, so that every rule is
/// tested twice: on the product, where it must hold, and on a planted offender, which it must name.
/// </summary>
/// <param name="Selected">How many things the rule looked at. A rule that selects nothing passes whatever happens.</param>
/// <param name="Violations">One line each: the offender's name, a colon, what is wrong.</param>
internal sealed record Verdict(int Selected, IReadOnlyList<string> Violations)
{
    public static Verdict On<T>(IEnumerable<T> selection, Func<T, IEnumerable<string>> inspect)
    {
        var selected = selection.ToList();
        return new Verdict(selected.Count, [.. selected.SelectMany(inspect)]);
    }

    /// <summary>Asserts that the rule selected something and found nothing.</summary>
    public void Holds(int atLeast = 1)
    {
        Assert.True(Selected >= atLeast, $"The rule selected {Selected} things and has to select at least {atLeast}: it proves nothing.");
        Assert.True(Violations.Count == 0, string.Join(Environment.NewLine, Violations.Prepend($"{Violations.Count} of {Selected} break the rule:")));
    }

    /// <summary>Asserts that the rule names exactly these offenders, and so spares everything beside them.</summary>
    public void Catches(params string[] offenders)
    {
        Assert.NotEmpty(offenders);
        Assert.Equal(
            offenders.Order(StringComparer.Ordinal),
            Violations.Select(v => v[..v.IndexOf(": ", StringComparison.Ordinal)]).Distinct().Order(StringComparer.Ordinal));
    }
}
