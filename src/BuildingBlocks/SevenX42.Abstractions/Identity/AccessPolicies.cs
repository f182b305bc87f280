namespace SevenX42;

/// <summary>Names of authorization policies, besides <see cref="UserClaims.Administrator"/> and the default one.</summary>
public static class AccessPolicies
{
    /// <summary>
    /// Whoever is signed in, and, where guests are on, whoever may become one: for pages that one can look at before the
    /// first command.
    /// </summary>
    public const string Visitors = "visitors";
}
