using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Persistence;

namespace SevenX42.Modules.Media.Infrastructure;

internal sealed class MediaDbContext(DbContextOptions<MediaDbContext> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(MediaModule.Schema);
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
