using Microsoft.AspNetCore.Antiforgery;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SevenX42.Host.Middleware;
using SevenX42.Host.Observability;
using SevenX42.Host.Realtime;
using SevenX42.Host.Shell;
using SevenX42.Host.Startup;
using SevenX42.Http;
using SevenX42.Limits;
using SevenX42.Modules.Chat;
using SevenX42.Modules.Generation;
using SevenX42.Modules.Identity;
using SevenX42.Modules.Media;
using SevenX42.Postgres;
using SevenX42.Realtime;

namespace SevenX42.Host;

/// <summary>The composed application and the embedded database it may own. Tests start the very same one.</summary>
internal sealed class ApplicationHost(WebApplication app, EmbeddedPostgres? postgres) : IAsyncDisposable
{
    /// <summary>The modules, all of them, in the order their migrations run.</summary>
    private static readonly IModule[] Modules = [new IdentityModule(), new GenerationModule(), new ChatModule(), new MediaModule()];

    private bool _stopped;

    public WebApplication App => app;

    /// <summary>Builds the application; starts the embedded PostgreSQL when no database is configured.</summary>
    public static async Task<ApplicationHost> CreateAsync(
        string[] args, Action<WebApplicationBuilder>? configure = null, CancellationToken cancellationToken = default)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions
        {
            Args = args is ["migrate", .. var rest] ? rest : args,
            ApplicationName = typeof(ApplicationHost).Assembly.GetName().Name,
        });
        configure?.Invoke(builder);
        var settings = StartSettings.Read(builder.Configuration);
        var postgres = await builder.StartEmbeddedIfNeededAsync(cancellationToken);
        WebApplication? app = null;
        try
        {
            app = Build(builder, settings);

            // The start would do so, too, but only after the migrations; and a host that never came so far can't be stopped.
            app.Services.GetRequiredService<IStartupValidator>().Validate();
            return new ApplicationHost(app, postgres);
        }
        catch
        {
            if (app is not null)
                await app.DisposeAsync();
            if (postgres is not null)
                await postgres.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs until the process is asked to end.</summary>
    public async Task RunAsync()
    {
        await app.StartAsync();
        try
        {
            await app.WaitForShutdownAsync();
        }
        finally
        {
            // Also when that took too long: it is not tried twice.
            _stopped = true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            // Also after a start that failed half-way: services that run already must not outlive what they use.
            if (!_stopped)
                await app.StopAsync();
        }
        finally
        {
            await app.DisposeAsync();
            if (postgres is not null)
                await postgres.DisposeAsync();
        }
    }

    private static WebApplication Build(WebApplicationBuilder builder, StartSettings settings)
    {
        var role = new AppRoleContext(settings.Role);
        builder.UseListeningAddresses(settings);
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(role);
        services.AddSingleton(settings.Management);
        services.AddChannelLog(settings.Redis);
        services.AddSharedLimits(settings.Redis);
        if (role.ServesWeb)
            services.AddRealtime(builder.Configuration);
        services.AddHttpBuildingBlocks();
        services.AddShell();
        services.AddExceptionHandler<FaultHandler>();
        services.AddProblemDetails();
        services.AddAuthentication();
        services.AddAuthorization();
        services.AddAntiforgery();
        services.AddOptions<AntiforgeryOptions>().Configure<IHttpContextAccessor>((options, accessor) =>
        {
            options.HeaderName = AntiforgeryGuard.Header;
            options.Cookie = new AntiforgeryCookie(accessor);
        });
        services.AddRateLimits();
        services.AddPageCompression();
        services.AddCrossOrigin(settings);
        services.AddForwardedHeaders(settings);
        services.AddTelemetry(builder.Configuration);
        services.AddHealth();
        services.AddHostedService<Banner>();
        foreach (var module in Modules)
            module.Add(services, builder.Configuration);

        var app = builder.Build();
        app.MapWhen(settings.Management.Is, MapManagement);
        if (role.ServesWeb)
            MapWeb(app);
        else
            app.MapHealth();
        return app;
    }

    // The one chain that pages, commands, polls and the socket's upgrade all pass, in this order.
    private static void MapWeb(WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseMiddleware<RequestLog>();
        app.UseSecurityHeaders();
        app.UseResponseCompression();
        app.UseExceptionHandler();
        app.UseStatusCodePages(FaultHandler.DescribeStatusAsync);
        app.UseRouting();
        app.UseCors();
        app.UseAuthentication();
        app.UseRateLimiter();
        app.UseMiddleware<LargeForms>();
        app.UseMiddleware<AntiforgeryGuard>();
        app.UseAntiforgery();
        IdentityModule.UseGuestSessions(app);
        app.UseAuthorization();
        app.MapStaticAssets();
        app.MapHealth();
        app.MapRealtime();
        foreach (var module in Modules)
            module.Map(app);
    }

    private static void MapManagement(IApplicationBuilder branch)
    {
        branch.UseRouting();
        branch.UseEndpoints(endpoints =>
        {
            endpoints.MapHealth();
            endpoints.MapPrometheusScrapingEndpoint("/metrics");
        });
    }
}
