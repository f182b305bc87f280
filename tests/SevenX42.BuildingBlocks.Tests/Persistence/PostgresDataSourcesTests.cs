using Microsoft.Extensions.Configuration;
using Npgsql;
using SevenX42.Persistence;

namespace SevenX42.BuildingBlocks.Tests.Persistence;

public sealed class PostgresDataSourcesTests
{
    [Theory]
    [InlineData("", GssEncryptionMode.Disable)]
    [InlineData(";GSS Encryption Mode=Require", GssEncryptionMode.Require)]
    public async Task Kerberos_whose_library_small_images_lack_is_looked_for_only_where_it_is_required(string setting, GssEncryptionMode mode)
    {
        var configuration = new ConfigurationManager { ["ConnectionStrings:Postgres"] = $"Host=db;Database=app;Username=app{setting}" };
        await using var sources = new PostgresDataSources(configuration);

        Assert.Equal(mode, new NpgsqlConnectionStringBuilder(sources.For("chat").ConnectionString).GssEncryptionMode);
    }
}
