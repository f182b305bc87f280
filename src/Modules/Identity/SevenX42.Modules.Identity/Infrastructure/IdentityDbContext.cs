using Microsoft.AspNetCore.DataProtection.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Modules.Identity.Domain;
using SevenX42.Modules.Identity.Infrastructure.Realtime;
using SevenX42.Modules.Identity.Infrastructure.Users;
using SevenX42.Persistence;

namespace SevenX42.Modules.Identity.Infrastructure;

/// <remarks>
/// Not the framework's <c>IdentityUserContext</c>: it maps claims, logins and tokens, too, which this product does not have.
/// The framework's store asks no more than that the context knows the users.
/// </remarks>
internal sealed class IdentityDbContext(DbContextOptions<IdentityDbContext> options) : DbContext(options), IDataProtectionKeyContext
{
    public DbSet<User> Users => Set<User>();

    public DbSet<Session> Sessions => Set<Session>();

    public DbSet<RealtimeSigningKey> RealtimeSigningKeys => Set<RealtimeSigningKey>();

    public DbSet<DataProtectionKey> DataProtectionKeys => Set<DataProtectionKey>();

    /// <summary>Until the transaction ends, nobody else decides who administers the installation.</summary>
    public Task LockAdministratorsAsync(CancellationToken cancellationToken) => Database.ExecuteSqlAsync(
        $"SELECT pg_advisory_xact_lock(hashtextextended('identity.administrators', 0))", cancellationToken);

    protected override void OnModelCreating(ModelBuilder builder)
    {
        builder.HasDefaultSchema(IdentityModule.Schema);
        builder.Entity<User>(user =>
        {
            user.ToTable("users");
            user.Property(u => u.Id).ValueGeneratedNever();
            user.Property(u => u.DisplayName).HasMaxLength(User.DisplayNameLength);
            user.Property(u => u.UserName).HasMaxLength(256);
            user.Property(u => u.NormalizedUserName).HasMaxLength(256);
            user.Property(u => u.Email).HasMaxLength(256);
            user.Property(u => u.NormalizedEmail).HasMaxLength(256);
            user.Property(u => u.PasswordHash).HasMaxLength(512);
            user.Property(u => u.SecurityStamp).HasMaxLength(64);
            user.Property(u => u.ConcurrencyStamp).HasMaxLength(64).IsConcurrencyToken();
            user.Property(u => u.GuestKey).HasMaxLength(32);
            user.Ignore(u => u.PhoneNumber).Ignore(u => u.PhoneNumberConfirmed).Ignore(u => u.TwoFactorEnabled);
            user.Ignore(u => u.LockoutEnabled).Ignore(u => u.EmailConfirmed);
            user.HasIndex(u => u.NormalizedUserName).IsUnique().HasDatabaseName("ix_users_normalized_user_name");
            user.HasIndex(u => u.NormalizedEmail).IsUnique().HasDatabaseName("ix_users_normalized_email");
            user.HasIndex(u => u.GuestKey).IsUnique();
            user.HasIndex(u => u.LastSeenAt).HasFilter("is_guest").HasDatabaseName("ix_users_guests_last_seen_at");
            // Answers "is there an account yet?" without a scan over the guests.
            user.HasIndex(u => u.CreatedAt).HasFilter("NOT is_guest").HasDatabaseName("ix_users_accounts_created_at");
            // A guest has no credentials and an account has them: nothing in between can be signed in to.
            user.ToTable(t => t.HasCheckConstraint(
                "ck_users_credentials",
                "is_guest = (normalized_email IS NULL) AND is_guest = (password_hash IS NULL) AND NOT (is_guest AND is_administrator)"));
        });
        builder.Entity<Session>(session =>
        {
            session.ToTable("sessions");
            session.Property(s => s.Id).ValueGeneratedNever();
            session.Property(s => s.UserAgent).HasMaxLength(Session.UserAgentLength);
            session.HasOne<User>().WithMany().HasForeignKey(s => s.UserId).OnDelete(DeleteBehavior.Cascade);
            session.HasIndex(s => s.UserId);
            session.HasIndex(s => s.ExpiresAt);
        });
        builder.Entity<RealtimeSigningKey>(key =>
        {
            key.ToTable("realtime_signing_keys");
            key.Property(k => k.Id).ValueGeneratedNever();
        });
        builder.Entity<DataProtectionKey>(key =>
        {
            key.ToTable("data_protection_keys");
            key.Property(k => k.FriendlyName).HasMaxLength(128);
        });
        builder.AddMessaging();
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model but no database.</summary>
internal sealed class IdentityDbContextFactory : IDesignTimeDbContextFactory<IdentityDbContext>
{
    public IdentityDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<IdentityDbContext>();
        options.UseModuleSchema(new NpgsqlDataSourceBuilder("Host=localhost").Build(), IdentityModule.Schema);
        return new IdentityDbContext(options.Options);
    }
}
