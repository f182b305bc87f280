using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Domain;
using SevenX42.Persistence;

namespace SevenX42.Modules.Media.Infrastructure;

internal sealed class MediaDbContext(DbContextOptions<MediaDbContext> options) : DbContext(options)
{
    public DbSet<Asset> Assets => Set<Asset>();

    /// <summary>
    /// Until the transaction ends, nobody else publishes or deletes the blob of this hash. Every change of a blob happens
    /// under this lock, so a file is never deleted under an asset that is just being stored with the same content.
    /// </summary>
    public Task LockBlobAsync(string hash, CancellationToken cancellationToken)
    {
        var key = "media.blob/" + hash;
        return Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({key}, 0))", cancellationToken);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(MediaModule.Schema);
        modelBuilder.Entity<Asset>(asset =>
        {
            asset.ToTable("assets");
            asset.Property(a => a.Id).ValueGeneratedNever();
            asset.Property(a => a.MediaType).HasMaxLength(64);
            asset.Property(a => a.ContentHash).HasMaxLength(64);
            asset.Property(a => a.FileName).HasMaxLength(OriginalFileName.MaxLength);
            asset.HasIndex(a => a.OwnerId);
            asset.HasIndex(a => a.ContentHash);
        });
        modelBuilder.Entity<Owner>(owner =>
        {
            owner.ToTable("owners");
            owner.Property(o => o.Id).ValueGeneratedNever();
        });
        modelBuilder.AddMessaging();
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model but no database.</summary>
internal sealed class MediaDbContextFactory : IDesignTimeDbContextFactory<MediaDbContext>
{
    public MediaDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<MediaDbContext>();
        options.UseModuleSchema(new NpgsqlDataSourceBuilder("Host=localhost").Build(), MediaModule.Schema);
        return new MediaDbContext(options.Options);
    }
}
