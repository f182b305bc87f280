using System.Net.Sockets;
using System.Security.Authentication;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;
using Npgsql;
using SevenX42.Persistence;
using SevenX42.Postgres;
using SevenX42.Realtime;

namespace SevenX42.Host.Startup;

/// <summary>What to tell a person when the process can't start: one sentence that says what to change, not a stack trace.</summary>
internal static class StartupFailure
{
    /// <summary>What throws when a value is not of its setting's type, in a sentence that names both.</summary>
    private const string Binder = "Microsoft.Extensions.Configuration.Binder";

    /// <summary>By these words the database's client, and the database in any language, say what else has no code.</summary>
    private const string NoTls = "SSL connection requested";
    private const string Rules = "pg_hba.conf";

    /// <summary>Whether a database may be there later, instead of going on to refuse until what is configured is changed.</summary>
    public static bool MayPass(Exception exception) => exception switch
    {
        SocketException or TimeoutException or EndOfStreamException or PostgresException { IsTransient: true } => true,
        { InnerException: { } inner } => MayPass(inner),
        _ => false,
    };

    /// <summary>The sentence, or <see langword="null"/> for a fault that deserves its stack trace.</summary>
    public static string? Describe(Exception exception) => exception switch
    {
        EmbeddedPostgresException or RedisRefusedException or NewerSchemaException => exception.Message,
        OptionsValidationException e => $"The configuration is not valid: {string.Join(" ", e.Failures)}",
        InvalidOperationException { Source: Binder } e => $"The configuration is not valid: {e.Message}",
        IOException { InnerException: AddressInUseException } e =>
            $"{e.Message.TrimEnd('.')}. Stop what uses it, or choose another port: Urls for the app, Management__Url for health and metrics.",
        SocketException { SocketErrorCode: SocketError.AccessDenied } =>
            "This port needs more rights than the process has. Choose one above 1023: Urls=http://localhost:5042.",
        SocketException { SocketErrorCode: SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported } =>
            "This machine does not have an address that is to be listened on. Choose one that it has: Urls for the app, "
            + "Management__Url for health and metrics.",
        NpgsqlException { InnerException: SocketException or TimeoutException or EndOfStreamException } or SocketException =>
            "PostgreSQL does not answer. Check ConnectionStrings__Postgres: host and port.",
        NpgsqlException { InnerException: AuthenticationException e } =>
            $"The TLS of the PostgreSQL in ConnectionStrings__Postgres is not accepted: {e.Message.TrimEnd('.')}. "
            + "Use the name in its certificate as Host, and name who issued it: Root Certificate.",
        NpgsqlException e when e.Message.Contains(NoTls, StringComparison.Ordinal) =>
            "The PostgreSQL in ConnectionStrings__Postgres does not speak TLS. Remove SSL Mode, or have PostgreSQL speak it.",
        PostgresException { SqlState: PostgresErrorCodes.InvalidAuthorizationSpecification } e when e.MessageText.Contains(Rules, StringComparison.Ordinal) =>
            "PostgreSQL's pg_hba.conf does not let the user of ConnectionStrings__Postgres in this way. Where it wants TLS, add SSL Mode=Require; "
            + "else add a line for this user, database and address.",
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
