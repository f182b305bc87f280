using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Features.Access;
using SevenX42.Modules.Identity.Features.Account;
using SevenX42.Modules.Identity.Features.Administration;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Guests;
using SevenX42.Modules.Identity.Infrastructure.Keys;
using SevenX42.Modules.Identity.Infrastructure.Realtime;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
using SevenX42.Modules.Identity.Infrastructure.Users;
using SevenX42.Persistence;

namespace SevenX42.Modules.Identity;

/// <summary>The Identity module: who somebody is, on which devices, and what proves it.</summary>
public sealed class IdentityModule : IModule
{
    internal const string Schema = "identity";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <summary>
    /// Lets endpoints with <see cref="AllowGuestCreation"/> make a guest of whoever is not signed in. Stands after
    /// authentication and antiforgery, and before authorization.
    /// </summary>
    public static IApplicationBuilder UseGuestSessions(IApplicationBuilder app) => app.UseMiddleware<GuestSessions>();

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<IdentityDbContext>(Schema);
        services.AddIdentityPipeline();
        AddSettings(services);
        AddKeys(services);
        AddSessions(services);
        AddAccounts(services);
        services.AddScoped<IIdentityApi, IdentityApi>();
        services.AddSingleton(provider => provider.GetRequiredService<IOptions<IdentitySettings>>().Value.ToOffers());
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet(SessionCookie.SignInPath, SignInEndpoint.Get);
        routes.MapPost(SessionCookie.SignInPath, SignInEndpoint.Post).RequireRateLimiting(AttemptLimits.SignIn);
        routes.MapGet(SessionCookie.SignUpPath, SignUpEndpoint.Get);
        routes.MapPost(SessionCookie.SignUpPath, SignUpEndpoint.Post).RequireRateLimiting(AttemptLimits.SignUp);
        routes.MapPost("/signout", SignOutEndpoint.Post);

        var account = routes.MapGroup("/account").RequireAuthorization();
        account.MapGet("", ShowAccountEndpoint.Get);
        account.MapPost("/name", ChangeNameEndpoint.Post);
        account.MapPost("/password", ChangePasswordEndpoint.Post);
        account.MapPost("/sessions/{sessionId:guid}/revoke", RevokeSessionEndpoint.Post);
        account.MapPost("/sessions/revoke-others", RevokeOtherSessionsEndpoint.Post);
        account.MapPost("/delete", DeleteAccountEndpoint.Post);

        var administration = routes.MapGroup("/admin").RequireAuthorization(UserClaims.Administrator);
        administration.MapGet("/users", ListAccountsEndpoint.Get);
        administration.MapPost("/users/{userId:guid}/role", ChangeRoleEndpoint.Post);
    }

    private static void AddSettings(IServiceCollection services)
    {
        services.AddOptions<IdentitySettings>().BindConfiguration(IdentitySettings.Section).ValidateOnStart();
        services.AddSingleton<IdentityDefaults>();
        services.AddSingleton<IPostConfigureOptions<IdentitySettings>>(provider => provider.GetRequiredService<IdentityDefaults>());
        services.AddSingleton<IValidateOptions<IdentitySettings>, IdentitySettingsValidator>();
    }

    private static void AddKeys(IServiceCollection services)
    {
        services.AddSingleton<KeyEncryptionSecretFile>();
        services.AddSingleton<KeyEncryption>(provider => new KeyEncryption(
            provider.GetRequiredService<IOptions<IdentitySettings>>(), provider.GetRequiredService<KeyEncryptionSecretFile>()));
        services.AddDataProtection().SetApplicationName("7x42").PersistKeysToDbContext<IdentityDbContext>();
        services.AddOptions<KeyManagementOptions>().Configure<IServiceProvider>((options, provider) =>
            options.XmlEncryptor = new KeyRingXmlEncryptor(provider.GetRequiredService<KeyEncryption>()));
        services.AddSingleton<RealtimeSigningKeys>();
        services.AddSingleton<RealtimeTokens>();
        services.AddHostedService<KeyRotation>();
    }

    private static void AddSessions(IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<SessionCache>();
        services.AddScoped<SessionStore>();
        services.AddAuthentication(SessionCookie.Scheme).AddCookie(SessionCookie.Scheme);
        services.AddOptions<CookieAuthenticationOptions>(SessionCookie.Scheme).Configure<TimeProvider>(SessionCookie.Configure);
        services.AddSingleton<IAuthorizationHandler, Visitors>();
        services.AddAuthorizationBuilder()
            .AddPolicy(AccessPolicies.Visitors, policy => policy.AddRequirements(new Visitors.Requirement()))
            .AddPolicy(UserClaims.Administrator, policy => policy.RequireClaim(UserClaims.Role, UserClaims.Administrator));
    }

    private static void AddAccounts(IServiceCollection services)
    {
        services.AddSingleton<ILookupNormalizer, AccountKeys>();
        services.AddIdentityCore<User>(options =>
        {
            options.User.RequireUniqueEmail = true;
            // An email is the user name, and what an email may hold is decided elsewhere.
            options.User.AllowedUserNameCharacters = "";
            // So is what makes a good password: length, and not having been guessed before.
            options.Password = new PasswordOptions
            {
                RequiredLength = Password.MinLength,
                RequireDigit = false,
                RequireLowercase = false,
                RequireUppercase = false,
                RequireNonAlphanumeric = false,
            };
        }).AddEntityFrameworkStores<IdentityDbContext>();
        // PBKDF2 with HMAC-SHA512: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
        services.Configure<PasswordHasherOptions>(options => options.IterationCount = 220_000);
        services.AddAttemptLimits();
        services.AddSingleton<DecoyPassword>();
        services.AddScoped<PasswordChecks>();
        services.AddScoped<GuestAccounts>();
        services.AddScoped<AbandonedGuests>();
        services.AddHostedService<Purge>();
    }
}
