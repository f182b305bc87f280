using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.DataProtection.KeyManagement;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SevenX42.Contracts.Identity;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Modules.Identity.Infrastructure.Guests;
using SevenX42.Modules.Identity.Infrastructure.Keys;
using SevenX42.Modules.Identity.Infrastructure.Realtime;
using SevenX42.Modules.Identity.Infrastructure.Sessions;
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
        services.AddScoped<IIdentityApi, IdentityApi>();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
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
        services.AddSingleton<GuestLimiter>();
        services.AddScoped<GuestAccounts>();
        services.AddAuthentication(SessionCookie.Scheme).AddCookie(SessionCookie.Scheme);
        services.AddOptions<CookieAuthenticationOptions>(SessionCookie.Scheme).Configure<TimeProvider>(SessionCookie.Configure);
        services.AddAuthorizationBuilder()
            .AddPolicy(UserClaims.Administrator, policy => policy.RequireClaim(UserClaims.Role, UserClaims.Administrator));
    }
}
