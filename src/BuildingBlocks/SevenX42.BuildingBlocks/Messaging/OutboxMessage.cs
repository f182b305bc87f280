using Microsoft.EntityFrameworkCore;

namespace SevenX42.Messaging;

/// <summary>An integration event that waits for its delivery, in the schema of the module that raised it.</summary>
public sealed class OutboxMessage
{
    /// <summary>The event's id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The event's stable name.</summary>
    public required string Name { get; init; }

    /// <summary>The event as JSON.</summary>
    public required string Payload { get; init; }

    /// <summary>Database time of the commit's transaction.</summary>
    public DateTimeOffset CreatedAt { get; private set; }

    /// <summary>Deliveries that failed.</summary>
    public int Attempts { get; private set; }

    /// <summary>
    /// The poller leaves the message alone until then. At first this is a moment ahead, because the process that wrote it
    /// delivers it at once from memory.
    /// </summary>
    public DateTimeOffset NextAttemptAt { get; private set; }

    /// <summary>The handlers that failed last, with the types of their exceptions; never a message, which may hold content.</summary>
    public string? LastError { get; private set; }

    /// <summary>When deliveries were given up.</summary>
    public DateTimeOffset? DeadLetteredAt { get; private set; }
}

/// <summary>An event that a handler of this module has worked through.</summary>
public sealed class InboxMessage
{
    /// <summary>The event's id.</summary>
    public required Guid EventId { get; init; }

    /// <summary>The handler's class name.</summary>
    public required string Handler { get; init; }

    /// <summary>Database time.</summary>
    public DateTimeOffset HandledAt { get; private set; }
}

/// <summary>Outbox and inbox in a module's model.</summary>
public static class MessagingModel
{
    /// <summary>How long the poller leaves a fresh message to the process that wrote it.</summary>
    internal const string HeadStart = "now() + interval '5 seconds'";

    /// <summary>Adds the tables <c>outbox</c> and <c>inbox</c>. Call it at the end of <c>OnModelCreating</c>.</summary>
    public static ModelBuilder AddMessaging(this ModelBuilder model)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.Entity<OutboxMessage>(outbox =>
        {
            outbox.ToTable("outbox");
            outbox.HasKey(m => m.Id);
            outbox.Property(m => m.Id).ValueGeneratedNever();
            outbox.Property(m => m.Name).HasMaxLength(128);
            outbox.Property(m => m.CreatedAt).HasDefaultValueSql("now()");
            outbox.Property(m => m.NextAttemptAt).HasDefaultValueSql(HeadStart);
            outbox.Property(m => m.LastError).HasMaxLength(256);
            outbox.HasIndex(m => m.NextAttemptAt).HasFilter("dead_lettered_at IS NULL").HasDatabaseName("ix_outbox_due");
            outbox.HasIndex(m => m.DeadLetteredAt).HasFilter("dead_lettered_at IS NOT NULL").HasDatabaseName("ix_outbox_dead");
        });
        model.Entity<InboxMessage>(inbox =>
        {
            inbox.ToTable("inbox");
            inbox.HasKey(m => new { m.EventId, m.Handler });
            inbox.Property(m => m.Handler).HasMaxLength(128);
            inbox.Property(m => m.HandledAt).HasDefaultValueSql("now()");
            inbox.HasIndex(m => m.HandledAt);
        });
        return model;
    }
}
