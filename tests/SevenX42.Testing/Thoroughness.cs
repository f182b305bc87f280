using System.Globalization;

namespace SevenX42.Testing;

/// <summary>
/// How many cases the costly property tests try: a few thousand with every run of the tests, and as many times that as the
/// variable <c>PROPERTY_TIMES</c> says for whoever changes what they test.
/// </summary>
public static class Thoroughness
{
    private static readonly int Times = int.Parse(
        Environment.GetEnvironmentVariable("PROPERTY_TIMES") is { Length: > 0 } times ? times : "1", CultureInfo.InvariantCulture);

    /// <summary>Cases to try.</summary>
    /// <param name="cases">As many as are tried by default.</param>
    public static int Of(int cases) => cases * Times;
}
