using System.Security.Cryptography;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Modules.Identity.Infrastructure.Realtime;

namespace SevenX42.Modules.Identity.Infrastructure.Keys;

/// <summary>
/// Sees to it that there are keys before the first request, that replicas that start together make one set of them, and
/// that they are renewed in time.
/// </summary>
internal sealed partial class KeyRotation(
    IServiceScopeFactory scopes,
    RealtimeSigningKeys signingKeys,
    IDataProtectionProvider dataProtection,
    KeyEncryption encryption,
    TimeProvider time,
    ILogger<KeyRotation> logger) : IHostedLifecycleService, IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private Task _rotating = Task.CompletedTask;

    // Before any other service starts, data protection's own among them.
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        try
        {
            await PrepareAsync(cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or { InnerException: NpgsqlException })
        {
            // No database yet, or no schema: readiness says so, and the keys are made at the first request that needs them.
            LogNotReady(e);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _rotating = RotateAsync(_stopping.Token);
        return Task.CompletedTask;
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _rotating.WaitAsync(cancellationToken);
    }

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _stopping.Dispose();

    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await using (var scope = scopes.CreateAsyncScope())
        {
            var context = scope.ServiceProvider.GetRequiredService<IdentityDbContext>();
            await using var transaction = await context.Database.BeginTransactionAsync(cancellationToken);
            await context.Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended('identity.data-protection-keys', 0))", cancellationToken);
            await RefuseForeignKeysAsync(context, cancellationToken);
            // The first use makes the key ring, over a connection of its own; whoever waits for the lock finds it made.
            dataProtection.CreateProtector("SevenX42.Identity.Warmup").Protect([1]);
        }

        await signingKeys.RefreshAsync(cancellationToken);
    }

    // With another secret than the one the keys were encrypted with, data protection would quietly begin a new ring: everybody
    // would be signed out, and replicas with different secrets would not understand each other's cookies.
    private async Task RefuseForeignKeysAsync(IdentityDbContext context, CancellationToken cancellationToken)
    {
        foreach (var key in await context.DataProtectionKeys.AsNoTracking().ToListAsync(cancellationToken))
        {
            try
            {
                foreach (var encrypted in System.Xml.Linq.XElement.Parse(key.Xml!).Descendants(KeyRingXmlEncryptor.Element))
                    encryption.Decrypt(Convert.FromBase64String(encrypted.Value));
            }
            catch (CryptographicException)
            {
                throw new OptionsValidationException(IdentitySettings.Section, typeof(IdentitySettings),
                [
                    "The keys in the database were encrypted with another secret than Identity__KeyEncryptionSecret (or its file) holds. "
                    + "Configure that secret, or add it to Identity__PreviousKeyEncryptionSecrets.",
                ]);
            }
        }
    }

    private async Task RotateAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(RealtimeSigningKeys.RefreshInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                try
                {
                    await signingKeys.RefreshAsync(stoppingToken);
                }
                catch (Exception e) when (e is not OperationCanceledException)
                {
                    // The keys in memory go on being used; the next tick tries again.
                    LogRefreshFailed(e);
                }
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The keys can't be prepared yet: the database or its schema is not there")]
    private partial void LogNotReady(Exception exception);

    [LoggerMessage(2, LogLevel.Warning, "The keys of real-time tokens can't be refreshed now")]
    private partial void LogRefreshFailed(Exception exception);
}
