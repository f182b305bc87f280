using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Persistence;

namespace SevenX42.Modules.Generation.Infrastructure;

internal sealed class GenerationDbContext(DbContextOptions<GenerationDbContext> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(GenerationModule.Schema);
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
