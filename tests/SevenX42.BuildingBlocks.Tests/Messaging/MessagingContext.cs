using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using SevenX42.Messaging;

namespace SevenX42.BuildingBlocks.Tests.Messaging;

/// <summary>A module's database with outbox, inbox and one table whose rule is checked only when a transaction is committed.</summary>
internal sealed class MessagingContext(DbContextOptions<MessagingContext> options) : DbContext(options)
{
    public const string Schema = "messaging";

    /// <summary>Makes its tables, unless they are there.</summary>
    public async Task CreateAsync(CancellationToken cancellationToken)
    {
        var creator = this.GetService<IRelationalDatabaseCreator>();
        if (await creator.HasTablesAsync(cancellationToken))
            return;
        await creator.CreateTablesAsync(cancellationToken);
        await Database.ExecuteSqlRawAsync(
            $"ALTER TABLE {Schema}.children ADD FOREIGN KEY (parent_id) REFERENCES {Schema}.children DEFERRABLE INITIALLY DEFERRED", cancellationToken);
    }

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(Schema);
        modelBuilder.Entity<Child>(child =>
        {
            child.ToTable("children");
            child.Property(c => c.Id).ValueGeneratedNever();
        });
        modelBuilder.AddMessaging();
    }
}

internal sealed class Child
{
    public required int Id { get; init; }

    public required int ParentId { get; init; }
}
