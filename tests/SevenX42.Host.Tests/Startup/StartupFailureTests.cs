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
