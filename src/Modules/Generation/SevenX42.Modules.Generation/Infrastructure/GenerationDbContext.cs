using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Generation.Domain;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure;

internal sealed class GenerationDbContext(DbContextOptions<GenerationDbContext> options) : DbContext(options)
{
    public DbSet<GenerationJob> Jobs => Set<GenerationJob>();

    public DbSet<Preview> Previews => Set<Preview>();

    public DbSet<CancelledGeneration> Cancelled => Set<CancelledGeneration>();

    public DbSet<DeletedUser> DeletedUsers => Set<DeletedUser>();

    public DbSet<DeletedConversation> DeletedConversations => Set<DeletedConversation>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(GenerationModule.Schema);
        modelBuilder.Entity<GenerationJob>(job =>
        {
            job.ToTable("jobs");
            job.HasKey(j => j.Id);
            job.Property(j => j.Id).ValueGeneratedNever();
            job.Property(j => j.Purpose).HasMaxLength(16);
            job.Property(j => j.Image).HasColumnType("jsonb");
            job.Property(j => j.Drawn).HasColumnType("jsonb");
            job.Property(j => j.Pictures).HasColumnType("jsonb");
            job.Property(j => j.Channel).HasMaxLength(128);
            job.Property(j => j.Subject).HasMaxLength(64);
            job.Property(j => j.Provider).HasMaxLength(128);
            job.Property(j => j.Model).HasMaxLength(512);
            job.Property(j => j.ReasoningPrefix).HasDefaultValue("");
            job.Property(j => j.Status).HasMaxLength(16);
            job.Property(j => j.WorkerId).HasMaxLength(128);
            job.Property(j => j.ErrorCode).HasMaxLength(64);
            job.Property(j => j.NotBefore).HasDefaultValueSql("now()");
            job.Property(j => j.CreatedAt).HasDefaultValueSql("now()");

            // The columns that heartbeats and checkpoints write are in no index, so those updates stay in the page (HOT).
            job.HasIndex(j => new { j.Provider, j.UserId })
                .HasFilter($"status = '{GenerationStatus.Running}'").HasDatabaseName("ix_jobs_running");
            job.HasIndex(j => new { j.Provider, j.CreatedAt })
                .HasFilter($"status = '{GenerationStatus.Queued}'").HasDatabaseName("ix_jobs_queued");

            // What the sweeper looks for, one index for each of its steps. They have names in the model, too, for of several
            // nameless indexes on the same column only the last is made.
            job.HasIndex(j => j.FinishedAt, "unannounced")
                .HasFilter("finished_at IS NOT NULL AND NOT announced").HasDatabaseName("ix_jobs_unannounced");
            job.HasIndex(j => j.FinishedAt, "uncleared")
                .HasFilter("finished_at IS NOT NULL AND text IS NOT NULL").HasDatabaseName("ix_jobs_uncleared");
            job.HasIndex(j => j.FinishedAt, "done")
                .HasFilter("finished_at IS NOT NULL AND announced AND text IS NULL").HasDatabaseName("ix_jobs_done");
            job.HasIndex(j => new { j.UserId, j.ClaimedAt }).HasDatabaseName("ix_jobs_user_served");
            job.HasIndex(j => j.ConversationId);
        });
        modelBuilder.Entity<CancelledGeneration>(cancelled =>
        {
            cancelled.ToTable("cancelled_generations");
            cancelled.HasKey(c => c.Id);
            cancelled.Property(c => c.Id).ValueGeneratedNever();
            cancelled.Property(c => c.CancelledAt).HasDefaultValueSql("now()");
            cancelled.HasIndex(c => c.CancelledAt);
        });
        modelBuilder.Entity<DeletedUser>(deleted =>
        {
            deleted.ToTable("deleted_users");
            deleted.HasKey(u => u.Id);
            deleted.Property(u => u.Id).ValueGeneratedNever();
            deleted.Property(u => u.DeletedAt).HasDefaultValueSql("now()");
        });
        modelBuilder.Entity<DeletedConversation>(deleted =>
        {
            deleted.ToTable("deleted_conversations");
            deleted.HasKey(c => c.Id);
            deleted.Property(c => c.Id).ValueGeneratedNever();
            deleted.Property(c => c.DeletedAt).HasDefaultValueSql("now()");
            deleted.HasIndex(c => c.DeletedAt);
        });
        modelBuilder.Entity<Preview>(preview =>
        {
            preview.ToTable("previews");
            preview.HasKey(p => p.JobId);
            preview.Property(p => p.Version).HasMaxLength(32);
            preview.Property(p => p.MediaType).HasMaxLength(32);
            preview.HasOne<GenerationJob>().WithOne().HasForeignKey<Preview>(p => p.JobId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.AddMessaging();
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model but no database.</summary>
internal sealed class GenerationDbContextFactory : IDesignTimeDbContextFactory<GenerationDbContext>
{
    public GenerationDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<GenerationDbContext>();
        options.UseModuleSchema(new NpgsqlDataSourceBuilder("Host=localhost").Build(), GenerationModule.Schema);
        return new GenerationDbContext(options.Options);
    }
}
