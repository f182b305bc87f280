using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using NpgsqlTypes;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Persistence;

namespace SevenX42.Modules.Chat.Infrastructure;

internal sealed class ChatDbContext(DbContextOptions<ChatDbContext> options) : DbContext(options)
{
    /// <summary>Name of the full-text column of conversations and messages.</summary>
    public const string SearchColumn = "search";

    public DbSet<Conversation> Conversations => Set<Conversation>();

    public DbSet<Message> Messages => Set<Message>();

    /// <summary>
    /// The owner's conversation, locked until the transaction ends: whoever changes its tree next waits. Begins the
    /// transaction, which the unit of work commits.
    /// </summary>
    public async Task<Conversation?> LockAsync(Guid ownerId, Guid conversationId, CancellationToken cancellationToken)
    {
        if (Database.CurrentTransaction is null)
            await Database.BeginTransactionAsync(cancellationToken);
        return await Conversations
            .FromSql($"SELECT * FROM chat.conversations WHERE id = {conversationId} AND owner_id = {ownerId} AND deleted_at IS NULL FOR UPDATE")
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>A branch from its leaf upwards, newest first.</summary>
    public async Task<List<Message>> ReadBranchAsync(Guid conversationId, Guid leafId, int most, CancellationToken cancellationToken) =>
        await Messages
            .FromSql($"""
                WITH RECURSIVE branch AS (
                    SELECT m.*, 1 AS depth FROM chat.messages m WHERE m.id = {leafId} AND m.conversation_id = {conversationId}
                    UNION ALL
                    SELECT p.*, b.depth + 1 FROM chat.messages p JOIN branch b ON p.id = b.parent_id WHERE b.depth < {most})
                SELECT * FROM branch
                """)
            .AsNoTracking()
            .OrderByDescending(m => m.Number)
            .ToListAsync(cancellationToken);

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(ChatModule.Schema);
        // Puts the owner into the full-text index, so that a search reads one person's entries and nobody else's.
        modelBuilder.HasPostgresExtension("btree_gin");
        modelBuilder.Entity<Conversation>(conversation =>
        {
            conversation.ToTable("conversations");
            conversation.Property(c => c.Id).ValueGeneratedNever();
            conversation.Property(c => c.Title).HasMaxLength(Conversation.LongestTitle);
            conversation.Property(c => c.TitleSource).HasConversion<string>().HasMaxLength(16);
            conversation.Property(c => c.Model).HasMaxLength(256);
            conversation.Property(c => c.Instructions).HasMaxLength(Conversation.LongestInstructions);
            conversation.Property<NpgsqlTsVector>(SearchColumn).HasComputedColumnSql("to_tsvector('simple', title)", stored: true);
            conversation.HasIndex(c => new { c.OwnerId, c.UpdatedAt, c.Id }).IsDescending(false, true, true)
                .HasFilter("deleted_at IS NULL AND pinned_at IS NULL").HasDatabaseName("ix_conversations_recent");
            conversation.HasIndex(c => new { c.OwnerId, c.PinnedAt }).IsDescending(false, true)
                .HasFilter("deleted_at IS NULL AND pinned_at IS NOT NULL").HasDatabaseName("ix_conversations_pinned");
            conversation.HasIndex(c => c.DeletedAt).HasFilter("deleted_at IS NOT NULL").HasDatabaseName("ix_conversations_deleted");
            conversation.HasIndex(nameof(Conversation.OwnerId), SearchColumn).HasMethod("gin").HasDatabaseName("ix_conversations_search");
        });
        modelBuilder.Entity<Message>(message =>
        {
            message.ToTable("messages");
            message.Property(m => m.Id).ValueGeneratedNever();
            message.Property(m => m.Role).HasConversion<string>().HasMaxLength(16);
            message.Property(m => m.Status).HasConversion<string>().HasMaxLength(16);
            message.Property(m => m.ErrorCode).HasMaxLength(64);
            message.Property(m => m.Model).HasMaxLength(256);
            message.Property<NpgsqlTsVector>(SearchColumn).HasComputedColumnSql("to_tsvector('simple', left(content, 200000))", stored: true);
            message.HasOne<Conversation>().WithMany().HasForeignKey(m => m.ConversationId).OnDelete(DeleteBehavior.Cascade);
            message.HasIndex(m => new { m.ConversationId, m.Number }).IsUnique();
            message.HasIndex(m => m.ParentId);
            message.HasIndex(m => m.GenerationId);
            message.HasIndex(nameof(Message.OwnerId), SearchColumn).HasMethod("gin").HasDatabaseName("ix_messages_search");
        });
        modelBuilder.AddMessaging();
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model but no database.</summary>
internal sealed class ChatDbContextFactory : IDesignTimeDbContextFactory<ChatDbContext>
{
    public ChatDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<ChatDbContext>();
        options.UseModuleSchema(new NpgsqlDataSourceBuilder("Host=localhost").Build(), ChatModule.Schema);
        return new ChatDbContext(options.Options);
    }
}
