using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;
using Npgsql;
using SevenX42.Messaging;
using SevenX42.Persistence;

namespace SevenX42.Modules.Identity.Infrastructure;

internal sealed class IdentityDbContext(DbContextOptions<IdentityDbContext> options) : DbContext(options)
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.HasDefaultSchema(IdentityModule.Schema);
        modelBuilder.AddMessaging();
    }
}

/// <summary>For <c>dotnet ef migrations add</c>, which needs a model but no database.</summary>
internal sealed class IdentityDbContextFactory : IDesignTimeDbContextFactory<IdentityDbContext>
{
    public IdentityDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<IdentityDbContext>();
        options.UseModuleSchema(new NpgsqlDataSourceBuilder("Host=localhost").Build(), IdentityModule.Schema);
        return new IdentityDbContext(options.Options);
    }
}
