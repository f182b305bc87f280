using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Persistence;

namespace SevenX42.Modules.Chat.Infrastructure;

internal sealed class ChatDbContext(DbContextOptions<ChatDbContext> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(ChatModule.Schema);
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
