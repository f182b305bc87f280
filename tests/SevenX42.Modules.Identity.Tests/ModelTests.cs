using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging;
using Npgsql;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Persistence;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

public sealed class ModelTests
{
    [Fact]
    public void The_model_is_built_without_a_warning()
    {
        using var log = new LogLines();
        using var loggers = LoggerFactory.Create(logging => logging.SetMinimumLevel(LogLevel.Debug).AddProvider(log));
        using var database = NpgsqlDataSource.Create("Host=localhost");
        var options = new DbContextOptionsBuilder<IdentityDbContext>();
        options.UseModuleSchema(database, IdentityModule.Schema).UseLoggerFactory(loggers);
        using var context = new IdentityDbContext(options.Options);

        Assert.NotEmpty(context.Model.GetEntityTypes());
        Assert.NotEmpty(log.All);
        Assert.DoesNotContain(log.All, line => line.Level >= LogLevel.Warning);
    }
}
