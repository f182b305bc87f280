using System.Text.Json;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Contracts.Generation;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Persistence;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <remarks>
/// Conversations and messages have a full-text column <c>search</c> besides, with an index that begins with the owner, so that a
/// search reads one person's entries and nobody else's. Only SQL searches it; in the model it would be read with every row.
/// </remarks>
internal sealed class ChatDbContext(DbContextOptions<ChatDbContext> options) : DbContext(options)
{
    public DbSet<Conversation> Conversations => Set<Conversation>();

    public DbSet<Message> Messages => Set<Message>();

    public DbSet<Owner> Owners => Set<Owner>();

    /// <summary>
    /// Lets first messages under the same id wait for each other, whoever sends them, until the transaction ends. Begins the
    /// transaction, which the unit of work commits.
    /// </summary>
    /// <returns><see langword="false"/> when the owner was deleted.</returns>
    public async Task<bool> LockBeginningAsync(Guid ownerId, Guid messageId, CancellationToken cancellationToken)
    {
        await BeginAsync(cancellationToken);
        // The owner's row, too: a deletion of the owner waits for this conversation and deletes it, or is found here.
        return await Database.ExecuteSqlAsync(
            $"""
            SELECT pg_advisory_xact_lock(hashtextextended({messageId.ToString()}, 0));
            INSERT INTO chat.owners AS o (id, is_deleted) VALUES ({ownerId}, false)
            ON CONFLICT (id) DO UPDATE SET is_deleted = false WHERE NOT o.is_deleted
            """,
            cancellationToken) > 0;
    }

    /// <summary>
    /// The owner's conversation, locked until the transaction ends: whoever changes its tree next waits. Begins the
    /// transaction, which the unit of work commits.
    /// </summary>
    /// <param name="ownerId">The owner.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="cancellationToken">Cancels the waiting.</param>
    /// <param name="evenDeleted">Whether it may be one that can still be restored.</param>
    public async Task<Conversation?> LockAsync(Guid ownerId, Guid conversationId, CancellationToken cancellationToken, bool evenDeleted = false)
    {
        await BeginAsync(cancellationToken);
        return await Conversations
            .FromSql($"""
                SELECT * FROM chat.conversations
                WHERE id = {conversationId} AND owner_id = {ownerId} AND (deleted_at IS NULL OR {evenDeleted}) FOR UPDATE
                """)
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>The owner's studio; <see langword="null"/> as long as nothing was drawn there, or when it is deleted.</summary>
    public Task<Guid?> FindStudioAsync(Guid ownerId, CancellationToken cancellationToken) => Conversations
        .Where(c => c.OwnerId == ownerId && c.IsStudio && c.DeletedAt == null)
        .Select(c => (Guid?)c.Id)
        .SingleOrDefaultAsync(cancellationToken);

    /// <summary>The same, even when it is deleted, and locked like a conversation.</summary>
    public async Task<Conversation?> LockStudioAsync(Guid ownerId, CancellationToken cancellationToken)
    {
        await BeginAsync(cancellationToken);
        return await Conversations
            .FromSql($"SELECT * FROM chat.conversations WHERE owner_id = {ownerId} AND is_studio FOR UPDATE")
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>Whoever's conversation, deleted or not, locked in the same way: for what nobody does to it.</summary>
    public async Task<Conversation?> LockAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        await BeginAsync(cancellationToken);
        return await Conversations
            .FromSql($"SELECT * FROM chat.conversations WHERE id = {conversationId} FOR UPDATE")
            .SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>A branch from its leaf upwards, newest first.</summary>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="leafId">The last message.</param>
    /// <param name="least">So many messages, where there are.</param>
    /// <param name="from">And more, up to this number.</param>
    /// <param name="most">But no more than this.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task<List<Message>> ReadBranchAsync(
        Guid conversationId, Guid leafId, int least, int from, int most, CancellationToken cancellationToken) =>
        await Messages
            .FromSql($"""
                WITH RECURSIVE branch AS (
                    SELECT m.id, m.parent_id, m.number, 1 AS depth FROM chat.messages m WHERE m.id = {leafId} AND m.conversation_id = {conversationId}
                    UNION ALL
                    SELECT p.id, p.parent_id, p.number, b.depth + 1 FROM chat.messages p JOIN branch b ON p.id = b.parent_id
                    WHERE b.depth < {least} OR (b.number > {from} AND b.depth < {most}))
                SELECT m.* FROM branch b JOIN chat.messages m ON m.id = b.id
                """)
            .AsNoTracking()
            .OrderByDescending(m => m.Number)
            .ToListAsync(cancellationToken);

    /// <summary>The messages of a branch from its leaf up to a number, and some above that; newest first.</summary>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="leafId">The last message.</param>
    /// <param name="number">Number of a message, or a number that it would have.</param>
    /// <param name="above">How many above that.</param>
    /// <param name="cancellationToken">Cancels the reading.</param>
    public async Task<List<BranchPoint>> ReadPathAsync(
        Guid conversationId, Guid leafId, int number, int above, CancellationToken cancellationToken) =>
        await Database
            .SqlQuery<BranchPoint>($"""
                WITH RECURSIVE branch AS (
                    SELECT m.id, m.parent_id, m.number, (m.number <= {number})::int AS above
                    FROM chat.messages m WHERE m.id = {leafId} AND m.conversation_id = {conversationId}
                    UNION ALL
                    SELECT p.id, p.parent_id, p.number, b.above + (p.number <= {number})::int
                    FROM chat.messages p JOIN branch b ON p.id = b.parent_id WHERE b.above <= {above})
                SELECT id, number FROM branch ORDER BY number DESC
                """)
            .ToListAsync(cancellationToken);

    /// <summary>The end of the branch that goes through a message; of several the one that was worked with last.</summary>
    /// <returns>The last message; <see langword="null"/> when the message is not there.</returns>
    public async Task<Guid?> FindEndAsync(Guid conversationId, Guid messageId, CancellationToken cancellationToken) =>
        await Database
            .SqlQuery<Guid?>($"""
                WITH RECURSIVE path AS (
                    SELECT m.id, m.number FROM chat.messages m WHERE m.id = {messageId} AND m.conversation_id = {conversationId}
                    UNION ALL
                    (SELECT c.* FROM path p CROSS JOIN LATERAL (
                        SELECT n.id, n.number FROM chat.messages n WHERE n.parent_id = p.id ORDER BY n.number DESC LIMIT 1) c))
                SELECT id AS "Value" FROM path ORDER BY number DESC LIMIT 1
                """)
            .SingleOrDefaultAsync(cancellationToken);

    /// <summary>
    /// A branch from its leaf upwards, newest first, without its texts: what contexts are chosen by. Messages without text and
    /// pictures are left out.
    /// </summary>
    public async Task<List<BranchMessage>> MeasureBranchAsync(Guid conversationId, Guid leafId, int most, CancellationToken cancellationToken) =>
        await Database
            .SqlQuery<BranchMessage>($"""
                WITH RECURSIVE branch AS (
                    SELECT m.id, m.parent_id, 1 AS depth FROM chat.messages m WHERE m.id = {leafId} AND m.conversation_id = {conversationId}
                    UNION ALL
                    SELECT p.id, p.parent_id, b.depth + 1 FROM chat.messages p JOIN branch b ON p.id = b.parent_id WHERE b.depth < {most})
                SELECT m.id, m.role = 'Assistant' AS is_answer, coalesce(nullif(m.tokens, 0), octet_length(m.content) / 3) AS tokens,
                    cardinality(m.attachments) AS pictures
                FROM branch b JOIN chat.messages m ON m.id = b.id
                WHERE m.content <> '' OR cardinality(m.attachments) > 0
                ORDER BY b.depth
                """)
            .ToListAsync(cancellationToken);

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(ChatModule.Schema);
        // For the owner in the full-text indexes.
        modelBuilder.HasPostgresExtension("btree_gin");
        modelBuilder.Entity<Conversation>(conversation =>
        {
            conversation.ToTable("conversations");
            conversation.Property(c => c.Id).ValueGeneratedNever();
            conversation.Property(c => c.Title).HasMaxLength(Conversation.LongestTitle);
            conversation.Property(c => c.TitleSource).HasConversion<string>().HasMaxLength(16);
            conversation.Property(c => c.Model).HasMaxLength(ModelInfo.LongestId);
            conversation.Property(c => c.Instructions).HasMaxLength(Conversation.LongestInstructions);
            conversation.HasIndex(c => new { c.OwnerId, c.UpdatedAt, c.Id }).IsDescending(false, true, true)
                .HasFilter("deleted_at IS NULL AND pinned_at IS NULL").HasDatabaseName("ix_conversations_recent");
            conversation.HasIndex(c => new { c.OwnerId, c.PinnedAt }).IsDescending(false, true)
                .HasFilter("deleted_at IS NULL AND pinned_at IS NOT NULL").HasDatabaseName("ix_conversations_pinned");
            conversation.HasIndex(c => c.OwnerId).IsUnique().HasFilter("is_studio").HasDatabaseName("ix_conversations_studio");
            conversation.HasIndex(c => c.DeletedAt).HasFilter("deleted_at IS NOT NULL").HasDatabaseName("ix_conversations_deleted");
        });
        modelBuilder.Entity<Message>(message =>
        {
            message.ToTable("messages");
            message.Property(m => m.Id).ValueGeneratedNever();
            message.Property(m => m.Role).HasConversion<string>().HasMaxLength(16);
            message.Property(m => m.Status).HasConversion<string>().HasMaxLength(16);
            message.Property(m => m.ErrorCode).HasMaxLength(64);
            message.Property(m => m.Model).HasMaxLength(ModelInfo.LongestId);
            message.Property(m => m.Drawing).HasColumnType("jsonb").HasConversion(
                drawing => JsonSerializer.Serialize(drawing, JsonSerializerOptions.Default),
                json => JsonSerializer.Deserialize<Drawing>(json, JsonSerializerOptions.Default));
            message.Property(m => m.Pictures).HasDefaultValueSql("'{}'::uuid[]");
            message.Property(m => m.Attachments).HasDefaultValueSql("'{}'::uuid[]");
            message.Property(m => m.OmittedPictures).HasDefaultValue(0);
            message.HasOne<Conversation>().WithMany().HasForeignKey(m => m.ConversationId).OnDelete(DeleteBehavior.Cascade);
            message.HasIndex(m => new { m.ConversationId, m.Number }).IsUnique();
            message.HasIndex(m => m.ParentId);
            message.HasIndex(m => new { m.OwnerId, m.CreatedAt }).IsDescending(false, true)
                .HasFilter("drawing IS NOT NULL AND role = 'User'").HasDatabaseName("ix_messages_prompts");
            message.HasIndex(m => m.GenerationId).HasFilter("status = 'Pending'").HasDatabaseName("ix_messages_pending");
        });
        modelBuilder.Entity<Owner>(owner =>
        {
            owner.ToTable("owners");
            owner.Property(o => o.Id).ValueGeneratedNever();
        });
        modelBuilder.AddMessaging();
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (Database.CurrentTransaction is null)
            await Database.BeginTransactionAsync(cancellationToken);
    }
}

/// <summary>A message's place in its branch.</summary>
internal sealed record BranchPoint(Guid Id, int Number);

/// <summary>A message of a branch without its text.</summary>
/// <param name="Id">The message.</param>
/// <param name="IsAnswer">Whether it is a model's.</param>
/// <param name="Tokens">Tokens of its text; an estimate where they were not counted.</param>
/// <param name="Pictures">How many it shows.</param>
internal sealed record BranchMessage(Guid Id, bool IsAnswer, int Tokens, int Pictures);

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
