using System.Net.Sockets;
using Npgsql;
using SevenX42.Host.Startup;

namespace SevenX42.Host.Tests.Startup;

/// <summary>What is said when something that can be put right keeps the process from starting.</summary>
public sealed class StartupFailureTests
{
    [Theory]
    [InlineData(PostgresErrorCodes.InsufficientPrivilege, "may not create")]
    [InlineData(PostgresErrorCodes.TooManyConnections, "no connection left")]
    [InlineData(PostgresErrorCodes.InvalidCatalogName, "does not exist")]
    public void What_the_database_refuses_is_told_in_a_sentence(string state, string sentence)
    {
        var refusal = new PostgresException("as the database words it", "ERROR", "ERROR", state);

        Assert.Contains(sentence, StartupFailure.Describe(new InvalidOperationException("while migrating", refusal)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DatabaseTls.None, "SSL Mode=Require", "The PostgreSQL in ConnectionStrings__Postgres does not speak TLS. Remove SSL Mode,")]
    [InlineData(DatabaseTls.Wanted, "SSL Mode=Disable", "PostgreSQL's pg_hba.conf does not let the user of ConnectionStrings__Postgres in this way. Where it wants TLS, add SSL Mode=Require;")]
    [InlineData(DatabaseTls.Unknown, "SSL Mode=VerifyFull", "The TLS of the PostgreSQL in ConnectionStrings__Postgres is not accepted: ")]
    public async Task A_database_whose_tls_does_not_fit_is_answered_with_what_to_change(DatabaseTls tls, string mode, string sentence)
    {
        await using var server = new DoorOfPostgres(tls);
        await using var connection = new NpgsqlConnection($"{server.ConnectionString};{mode}");

        var refusal = await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.OpenAsync(TestContext.Current.CancellationToken));

        Assert.StartsWith(sentence, StartupFailure.Describe(refusal), StringComparison.Ordinal);
        Assert.False(StartupFailure.MayPass(refusal));
    }

    [Theory]
    [InlineData("Host=nowhere.invalid")]
    [InlineData("Host=127.0.0.1;Port=1")]
    public async Task A_database_that_does_not_answer_is_told_with_what_to_check_and_may_come_later(string address)
    {
        await using var connection = new NpgsqlConnection($"{address};Username=a;Password=b;Database=c");

        var away = await Assert.ThrowsAnyAsync<Exception>(() => connection.OpenAsync(TestContext.Current.CancellationToken));

        Assert.Equal("PostgreSQL does not answer. Check ConnectionStrings__Postgres: host and port.", StartupFailure.Describe(away));
        Assert.True(StartupFailure.MayPass(away));
    }

    [Fact]
    public void An_address_that_the_machine_does_not_have_is_not_taken_for_the_database()
    {
        var sentence = StartupFailure.Describe(new SocketException((int)SocketError.AddressNotAvailable));

        Assert.StartsWith("This machine does not have an address that is to be listened on.", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_folder_that_is_closed_to_the_process_is_named()
    {
        var sentence = StartupFailure.Describe(new UnauthorizedAccessException("Access to the path '/srv/7x42' is denied."));

        Assert.Contains("'/srv/7x42'", sentence, StringComparison.Ordinal);
        Assert.Contains("DataDirectory", sentence, StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_of_ours_keeps_its_stack_trace() =>
        Assert.Null(StartupFailure.Describe(new InvalidOperationException("a fault")));
}
