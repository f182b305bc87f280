using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Contracts.Media;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Domain;
using SevenX42.Persistence;

namespace SevenX42.Modules.Media.Infrastructure;

/// <remarks>
/// Assets have a full-text column <c>search</c> besides, with an index that begins with the owner. Only SQL writes and searches it; in
/// the model it would be read with every row.
/// </remarks>
internal sealed class MediaDbContext(DbContextOptions<MediaDbContext> options) : DbContext(options)
{
    public DbSet<Asset> Assets => Set<Asset>();

    public DbSet<AssetVariant> Variants => Set<AssetVariant>();

    public DbSet<DeletedConversation> DeletedConversations => Set<DeletedConversation>();

    public DbSet<EndedJob> EndedJobs => Set<EndedJob>();

    /// <summary>
    /// Charges an owner with one statement that also checks: uploads at the same time wait here for each other, and the one that would
    /// pass the quota changes nothing. The same row refuses users who were deleted while their file was coming in.
    /// </summary>
    /// <returns><see langword="false"/> when nothing was charged.</returns>
    public async Task<bool> ChargeAsync(Guid ownerId, long bytes, long quota, CancellationToken cancellationToken) =>
        await Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.owners AS o (id, bytes, is_deleted)
            SELECT {ownerId}, {bytes}, false WHERE {bytes} <= {quota}
            ON CONFLICT (id) DO UPDATE SET bytes = o.bytes + excluded.bytes
            WHERE NOT o.is_deleted AND o.bytes + excluded.bytes <= {quota}
            """,
            cancellationToken) > 0;

    /// <summary>
    /// Gives bytes back. Blobs are locked first, by their hashes' order, then a job, then the owner's row, then assets, everywhere, so that
    /// nobody waits in a circle. Nobody who holds the owner's row waits for a store.
    /// </summary>
    public Task RefundAsync(Guid ownerId, long bytes, CancellationToken cancellationToken) => Database.ExecuteSqlAsync(
        $"UPDATE media.owners SET bytes = bytes - {bytes} WHERE id = {ownerId} AND NOT is_deleted", cancellationToken);

    /// <summary>The blobs of assets and of their smaller sizes.</summary>
    public static Task<List<string>> ReadHashesAsync(IQueryable<Asset> assets, CancellationToken cancellationToken) => assets
        .Select(a => a.ContentHash)
        .Union(assets.SelectMany(a => a.Variants).Select(v => v.ContentHash))
        .ToListAsync(cancellationToken);

    /// <summary>Those of the blobs that anything refers to.</summary>
    public Task<List<string>> ReadReferencedAsync(IReadOnlyCollection<string> hashes, CancellationToken cancellationToken) => Assets
        .Where(a => hashes.Contains(a.ContentHash))
        .Select(a => a.ContentHash)
        .Union(Variants.Where(v => hashes.Contains(v.ContentHash)).Select(v => v.ContentHash))
        .ToListAsync(cancellationToken);

    /// <summary>
    /// Until the transaction ends, nobody else publishes or deletes the blob of this hash. Every change of a blob happens
    /// under this lock, so a file is never deleted under an asset that is just being stored with the same content.
    /// </summary>
    public Task LockBlobAsync(string hash, CancellationToken cancellationToken) => LockAsync($"media.blob/{hash}", cancellationToken);

    /// <summary>
    /// Until the transaction ends, nobody else stores a picture of this job or notes that it has ended. Taken after the blobs' locks and
    /// before the owner's row.
    /// </summary>
    public Task LockJobAsync(Guid jobId, CancellationToken cancellationToken) => LockAsync($"media.job/{jobId:D}", cancellationToken);

    /// <summary>Whether a command took longer than commands may: it waited for a lock that somebody else holds.</summary>
    public static bool IsTooLongAWait(Exception exception) =>
        exception is NpgsqlException { InnerException: TimeoutException }
            or InvalidOperationException { InnerException: NpgsqlException { InnerException: TimeoutException } };

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(MediaModule.Schema);
        // For the owner in the full-text index.
        modelBuilder.HasPostgresExtension("btree_gin");
        modelBuilder.Entity<Asset>(asset =>
        {
            asset.ToTable("assets");
            asset.Property(a => a.Id).ValueGeneratedNever();
            asset.Property(a => a.MediaType).HasMaxLength(64);
            asset.Property(a => a.ContentHash).HasMaxLength(64);
            asset.Property(a => a.FileName).HasMaxLength(OriginalFileName.MaxLength);
            asset.Property(a => a.Kind).HasConversion<string>().HasMaxLength(16).HasDefaultValue(AssetKind.File).HasSentinel(AssetKind.File);
            asset.Property(a => a.VariantBytes).HasDefaultValue(0L);
            asset.Property(a => a.Model).HasMaxLength(ImageProvenance.LongestModel);
            asset.Property(a => a.Prompt).HasMaxLength(ImageProvenance.LongestPrompt);
            asset.Property(a => a.NegativePrompt).HasMaxLength(ImageProvenance.LongestPrompt);
            asset.Ignore(a => a.ChargedBytes);
            asset.HasMany(a => a.Variants).WithOne().HasForeignKey(v => v.AssetId).OnDelete(DeleteBehavior.Cascade);
            asset.HasIndex(a => a.OwnerId);
            asset.HasIndex(a => new { a.OwnerId, a.Id }).IsDescending(false, true)
                .HasFilter("deleted_at IS NULL AND kind = 'Image'").HasDatabaseName("ix_assets_gallery");
            asset.HasIndex(a => new { a.JobId, a.JobIndex }).IsUnique().HasFilter("job_id IS NOT NULL").HasDatabaseName("ix_assets_job");
            asset.HasIndex(a => a.ConversationId).HasFilter("conversation_id IS NOT NULL").HasDatabaseName("ix_assets_conversation");
            asset.HasIndex(a => a.DeletedAt).HasFilter("deleted_at IS NOT NULL").HasDatabaseName("ix_assets_deleted");
            asset.HasIndex(a => a.UnconfirmedSince).HasFilter("unconfirmed_since IS NOT NULL").HasDatabaseName("ix_assets_unconfirmed");
            asset.HasIndex(a => a.ContentHash);
        });
        modelBuilder.Entity<AssetVariant>(variant =>
        {
            variant.ToTable("variants");
            variant.HasKey(v => new { v.AssetId, v.Width });
            variant.Property(v => v.Width).ValueGeneratedNever();
            variant.Property(v => v.ContentHash).HasMaxLength(64);
            variant.HasIndex(v => v.ContentHash);
        });
        modelBuilder.Entity<DeletedConversation>(conversation =>
        {
            conversation.ToTable("deleted_conversations");
            conversation.Property(c => c.Id).ValueGeneratedNever();
            conversation.HasIndex(c => c.DeletedAt);
        });
        modelBuilder.Entity<EndedJob>(job =>
        {
            job.ToTable("ended_jobs");
            job.Property(j => j.Id).ValueGeneratedNever();
            job.HasIndex(j => j.EndedAt);
        });
        modelBuilder.Entity<Owner>(owner =>
        {
            owner.ToTable("owners");
            owner.Property(o => o.Id).ValueGeneratedNever();
        });
        modelBuilder.AddMessaging();
    }

    private Task<int> LockAsync(string key, CancellationToken cancellationToken) =>
        Database.ExecuteSqlAsync($"SELECT pg_advisory_xact_lock(hashtextextended({key}, 0))", cancellationToken);
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
