using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.EntityFrameworkCore.Migrations.Operations;
using Npgsql;
using SevenX42.Persistence;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Persistence;

/// <summary>Indexes that migrations make on tables in use.</summary>
public sealed class ConcurrentIndexesTests(PostgresServer postgres) : IAsyncLifetime
{
    private NpgsqlDataSource _database = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _database = NpgsqlDataSource.Create(await postgres.CreateEmptyDatabaseAsync());
        await ExecuteAsync("CREATE SCHEMA planted; CREATE TABLE planted.things (id int); INSERT INTO planted.things VALUES (1), (1)");
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task People_go_on_writing_while_an_index_is_made()
    {
        await using var connection = await _database.OpenConnectionAsync(Cancelled);
        await using var transaction = await connection.BeginTransactionAsync(Cancelled);
        await using (var writes = new NpgsqlCommand("INSERT INTO planted.things VALUES (2)", connection, transaction))
            await writes.ExecuteNonQueryAsync(Cancelled);
        var making = MakeAsync(unique: false);
        await Eventually.TrueAsync(async () =>
            await ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"));
        await ExecuteAsync("SET lock_timeout = '5s'; INSERT INTO planted.things VALUES (3)");
        Assert.False(making.IsCompleted);
        await transaction.CommitAsync(Cancelled);
        await making;
        Assert.True(await ScalarAsync<bool>("SELECT indisvalid FROM pg_index WHERE indexrelid = 'planted.ix_things'::regclass"));
    }

    [Fact]
    public async Task What_broke_off_is_made_anew_and_what_is_there_stays()
    {
        await Assert.ThrowsAsync<PostgresException>(() => MakeAsync(unique: true));
        Assert.False(await ScalarAsync<bool>("SELECT indisvalid FROM pg_index WHERE indexrelid = 'planted.ix_things'::regclass"));
        await ExecuteAsync("DELETE FROM planted.things");
        await MakeAsync(unique: true);
        var made = await ScalarAsync<uint>("SELECT indexrelid FROM pg_index WHERE indexrelid = 'planted.ix_things'::regclass AND indisvalid AND indisunique");
        await MakeAsync(unique: true);
        Assert.Equal(made, await ScalarAsync<uint>("SELECT 'planted.ix_things'::regclass::oid"));
        await RunAsync(m => m.DropIndexConcurrently("planted", "ix_things"));
        Assert.False(await ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'ix_things')"));
    }

    private Task MakeAsync(bool unique) => RunAsync(m => m.CreateIndexConcurrently("planted", "ix_things", "things (id)", unique));

    private async Task RunAsync(Action<MigrationBuilder> migrate)
    {
        var migration = new MigrationBuilder("Npgsql.EntityFrameworkCore.PostgreSQL");
        migrate(migration);
        foreach (var operation in migration.Operations.Cast<SqlOperation>())
        {
            Assert.True(operation.SuppressTransaction);
            await ExecuteAsync(operation.Sql);
        }
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancelled);
    }

    private async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = _database.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync(Cancelled))!;
    }
}
