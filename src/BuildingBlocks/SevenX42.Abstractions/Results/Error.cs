namespace SevenX42;

/// <summary>What kind of failure an <see cref="Error"/> is; it decides the HTTP status and nothing else.</summary>
public enum ErrorKind
{
    /// <summary>The request is not well-formed or breaks a rule of its input (400).</summary>
    Invalid,

    /// <summary>The request is larger than what the server takes (413).</summary>
    TooLarge,

    /// <summary>Nobody is signed in (401).</summary>
    Unauthenticated,

    /// <summary>The thing does not exist or is not the caller's; the two are never told apart (404).</summary>
    NotFound,

    /// <summary>The request does not fit the present state (409).</summary>
    Conflict,

    /// <summary>A limit is reached; <see cref="Error.RetryAfter"/> says when to try again (429).</summary>
    TooMany,

    /// <summary>Something this needs is not available now; try again (503).</summary>
    Unavailable,

    /// <summary>The session is valid, but this is for somebody with more rights (403).</summary>
    Forbidden,

    /// <summary>A fault of ours that is logged with its trace id (500).</summary>
    Unexpected,
}

/// <summary>A failure that the caller decides about.</summary>
/// <param name="Kind">The kind of failure.</param>
/// <param name="Code">Stable, machine-readable, <c>snake_case</c>: <c>message_too_long</c>.</param>
/// <param name="Message">One sentence for the person who caused it, in their words.</param>
/// <param name="Field">The input field that caused it, if one did.</param>
/// <param name="RetryAfter">When to try again, if that is known.</param>
public sealed record Error(ErrorKind Kind, string Code, string Message, string? Field = null, TimeSpan? RetryAfter = null)
{
    /// <summary>Input that breaks a rule.</summary>
    public static Error Invalid(string code, string message, string? field = null) => new(ErrorKind.Invalid, code, message, field);

    /// <summary>Nothing there, or nothing of the caller's.</summary>
    public static Error NotFound(string message = "This does not exist, or it is not yours.") =>
        new(ErrorKind.NotFound, "not_found", message);

    /// <summary>The request does not fit the present state.</summary>
    public static Error Conflict(string code, string message) => new(ErrorKind.Conflict, code, message);

    /// <summary>Nobody is signed in.</summary>
    public static Error Unauthenticated(string message = "Sign in to go on.") =>
        new(ErrorKind.Unauthenticated, "unauthenticated", message);

    /// <summary>A limit is reached.</summary>
    public static Error TooMany(string code, string message, TimeSpan? retryAfter = null) =>
        new(ErrorKind.TooMany, code, message, null, retryAfter);

    /// <summary>Something this needs is not available now.</summary>
    public static Error Unavailable(string code, string message, TimeSpan? retryAfter = null) =>
        new(ErrorKind.Unavailable, code, message, null, retryAfter);
}
