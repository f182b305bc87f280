using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;

namespace SevenX42.Modules.Identity.Infrastructure;

internal enum SignUpMode
{
    /// <summary>Whoever reaches the server may make an account.</summary>
    Open,

    /// <summary>Nobody may.</summary>
    Closed,
}

/// <summary>Section <c>Identity</c>.</summary>
internal sealed class IdentitySettings
{
    public const string Section = "Identity";

    /// <summary>Whether people may chat without an account. Default: embedded mode and development yes, else no.</summary>
    public bool? Guests { get; set; }

    public SignUpMode SignUp { get; set; } = SignUpMode.Open;

    /// <summary>A session ends when it was not used for so long.</summary>
    public TimeSpan SessionLifetime { get; set; } = TimeSpan.FromDays(30);

    /// <summary>
    /// A guest, and all that is theirs, is deleted when not seen for so long. Default: 30 days; in embedded mode 400, the
    /// longest that browsers keep a cookie, because there it is somebody's own machine.
    /// </summary>
    public TimeSpan? GuestRetention { get; set; }

    public LockoutSettings Lockout { get; set; } = new();

    public IdentityRateLimitSettings RateLimits { get; set; } = new();

    /// <summary>Encrypts the keys in the database. At least 32 bytes; the same for all replicas.</summary>
    public string? KeyEncryptionSecret { get; set; }

    /// <summary>File that holds the secret instead. In embedded mode and development it is made when it is missing.</summary>
    public string? KeyEncryptionSecretFile { get; set; }

    /// <summary>Secrets that keys in the database may still be encrypted with, while a new secret is introduced.</summary>
    public string[] PreviousKeyEncryptionSecrets { get; set; } = [];

    public bool AllowsGuests => Guests ?? throw new InvalidOperationException("The settings are not completed.");

    public VisitorOffers ToOffers() => new(AllowsGuests, SignUp is SignUpMode.Open);

    public TimeSpan LifetimeOf(bool guest) =>
        guest ? GuestRetention ?? throw new InvalidOperationException("The settings are not completed.") : SessionLifetime;
}

internal sealed class LockoutSettings
{
    /// <summary>Wrong passwords in a row until an account can't be signed in to for a while.</summary>
    [Range(1, 1000)]
    public int Attempts { get; set; } = 5;

    public TimeSpan Duration { get; set; } = TimeSpan.FromMinutes(5);
}

/// <summary>How often who may try what, on all replicas together.</summary>
internal sealed class IdentityRateLimitSettings
{
    /// <summary>Attempts to sign in, per minute and address.</summary>
    [Range(1, 1_000_000)]
    public int SignInsPerMinute { get; set; } = 20;

    /// <summary>Attempts to sign in to one account, per five minutes, wherever they come from.</summary>
    [Range(1, 1_000_000)]
    public int SignInsPerAccount { get; set; } = 20;

    /// <summary>Attempts to sign up, per hour and address.</summary>
    [Range(1, 1_000_000)]
    public int SignUpsPerHour { get; set; } = 20;

    /// <summary>New guests, per hour and address.</summary>
    [Range(1, 1_000_000)]
    public int GuestsPerHour { get; set; } = 60;

    /// <summary>Changes of password and deletions, which ask for the password, per five minutes and user.</summary>
    [Range(1, 1_000_000)]
    public int PasswordChecksPerUser { get; set; } = 20;
}

/// <summary>Fills in what depends on where the application runs.</summary>
internal sealed class IdentityDefaults(IConfiguration configuration, IHostEnvironment environment) : IPostConfigureOptions<IdentitySettings>
{
    /// <summary>Set by the Host when it runs its own PostgreSQL: somebody's own machine.</summary>
    private bool Embedded => configuration.GetValue<bool>("Embedded");

    /// <summary>Whether secrets may be made up and kept in the data directory.</summary>
    public bool MayGenerateSecrets => Embedded || environment.IsDevelopment();

    public string DataDirectory => configuration["DataDirectory"] is { Length: > 0 } directory ? directory : ".data";

    public void PostConfigure(string? name, IdentitySettings options)
    {
        options.Guests ??= Embedded || environment.IsDevelopment();
        options.GuestRetention ??= TimeSpan.FromDays(Embedded ? 400 : 30);
    }
}

internal sealed class IdentitySettingsValidator(IdentityDefaults defaults) : IValidateOptions<IdentitySettings>
{
    private const int SecretBytes = 32;

    // Words of placeholders in examples; a random secret contains none of them.
    private static readonly string[] Placeholders = ["change", "replace", "example", "default", "placeholder", "password", "secret", "your-", "12345678"];

    public ValidateOptionsResult Validate(string? name, IdentitySettings options)
    {
        List<string> failures = [.. Limits(options)];
        if (options.KeyEncryptionSecret is { Length: > 0 } secret)
            failures.AddRange(Secret("Identity__KeyEncryptionSecret", secret));
        else if (options.KeyEncryptionSecretFile is { Length: > 0 } file && !defaults.MayGenerateSecrets)
            failures.AddRange(SecretFile(file));
        else if (!defaults.MayGenerateSecrets)
            failures.Add("Identity__KeyEncryptionSecret (or Identity__KeyEncryptionSecretFile) is missing: keys must not stand unencrypted in the database. Make one with `openssl rand -base64 48`.");
        if (options.PreviousKeyEncryptionSecrets.Any(string.IsNullOrWhiteSpace))
            failures.Add("Identity__PreviousKeyEncryptionSecrets holds an empty secret.");
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static IEnumerable<string> Limits(IdentitySettings options)
    {
        if (options.SessionLifetime < TimeSpan.FromMinutes(10) || options.SessionLifetime > TimeSpan.FromDays(400))
            yield return "Identity__SessionLifetime has to be between 10 minutes and 400 days.";
        if (options.GuestRetention < TimeSpan.FromHours(1) || options.GuestRetention > TimeSpan.FromDays(400))
            yield return "Identity__GuestRetention has to be between 1 hour and 400 days.";
        if (options.Lockout.Duration <= TimeSpan.Zero || options.Lockout.Duration > TimeSpan.FromDays(1))
            yield return "Identity__Lockout__Duration has to be above zero and at most a day.";
        List<ValidationResult> results = [];
        Validator.TryValidateObject(options.Lockout, new ValidationContext(options.Lockout), results, validateAllProperties: true);
        Validator.TryValidateObject(options.RateLimits, new ValidationContext(options.RateLimits), results, validateAllProperties: true);
        foreach (var result in results)
            yield return $"Identity: {result.ErrorMessage}";
    }

    private static IEnumerable<string> SecretFile(string file)
    {
        string content;
        try
        {
            content = File.ReadAllText(file).Trim();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [$"The file of Identity__KeyEncryptionSecretFile can't be read: {file}."];
        }

        return Secret("The secret in the file of Identity__KeyEncryptionSecretFile", content);
    }

    // Never the secret itself: these sentences are printed.
    private static IEnumerable<string> Secret(string what, string secret)
    {
        if (System.Text.Encoding.UTF8.GetByteCount(secret) < SecretBytes)
            yield return $"{what} is shorter than {SecretBytes} bytes. Make one with `openssl rand -base64 48`.";
        else if (secret.Distinct().Count() < 10 || Placeholders.Any(p => secret.Contains(p, StringComparison.OrdinalIgnoreCase)))
            yield return $"{what} looks like a placeholder. Make one with `openssl rand -base64 48`.";
    }
}
