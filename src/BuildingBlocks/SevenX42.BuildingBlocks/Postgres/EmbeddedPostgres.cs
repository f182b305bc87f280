using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace SevenX42.Postgres;

/// <summary>The embedded PostgreSQL can't start; the message says in one sentence what to do.</summary>
public sealed class EmbeddedPostgresException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Settings of the embedded PostgreSQL.</summary>
public sealed record EmbeddedPostgresOptions
{
    /// <summary>Where the data lives; made when it does not exist.</summary>
    public required string DataDirectory { get; init; }
}

/// <summary>A PostgreSQL of our own, for one machine on which no database is configured.</summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    /// <summary>Connection string of the running server.</summary>
    public string ConnectionString => throw new NotSupportedException();

    /// <summary>Starts the server.</summary>
    public static Task<EmbeddedPostgres> StartAsync(EmbeddedPostgresOptions options, ILogger logger, CancellationToken cancellationToken) =>
        throw new EmbeddedPostgresException("No database: set ConnectionStrings__Postgres.");

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
