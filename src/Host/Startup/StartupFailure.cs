using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Postgres;
using SevenX42.Realtime;

namespace SevenX42.Host.Startup;

/// <summary>What to tell a person when the process can't start: one sentence that says what to change, not a stack trace.</summary>
internal static class StartupFailure
{
    /// <summary>What throws when a value is not of its setting's type, in a sentence that names both.</summary>
    private const string Binder = "Microsoft.Extensions.Configuration.Binder";

    /// <summary>The sentence, or <see langword="null"/> for a fault that deserves its stack trace.</summary>
    public static string? Describe(Exception exception) => exception switch
    {
        EmbeddedPostgresException or RedisRefusedException => exception.Message,
        OptionsValidationException e => $"The configuration is not valid: {string.Join(" ", e.Failures)}",
        InvalidOperationException { Source: Binder } e => $"The configuration is not valid: {e.Message}",
        IOException { InnerException: AddressInUseException } e =>
            $"{e.Message.TrimEnd('.')}. Stop what uses it, or choose another port: Urls for the app, Management__Url for health and metrics.",
        SocketException { SocketErrorCode: SocketError.AccessDenied } =>
            "This port needs more rights than the process has. Choose one above 1023: Urls=http://localhost:5042.",
        NpgsqlException { InnerException: SocketException or TimeoutException } =>
            "PostgreSQL does not answer. Check ConnectionStrings__Postgres: host and port.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification } =>
            "PostgreSQL refuses the user or password of ConnectionStrings__Postgres.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidCatalogName } =>
            "The database of ConnectionStrings__Postgres does not exist. Create it first.",
        PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } =>
            "PostgreSQL's user of ConnectionStrings__Postgres may not create what the application needs. Give it CREATE on the database, "
            + "or run the command migrate as a user who has it.",
        PostgresException { SqlState: PostgresErrorCodes.TooManyConnections } =>
            "PostgreSQL has no connection left. Raise its max_connections, or close what uses them.",
        UnauthorizedAccessException e =>
            $"{e.Message.TrimEnd('.')}. Give the process's user access to it, or choose another folder: DataDirectory.",
        { InnerException: { } inner } => Describe(inner),
        _ => null,
    };
}
