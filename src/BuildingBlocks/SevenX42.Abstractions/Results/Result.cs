using System.Diagnostics.CodeAnalysis;

namespace SevenX42;

/// <summary>The outcome of a request: success, or an <see cref="SevenX42.Error"/> that the caller decides about.</summary>
public interface IOutcome
{
    /// <summary>The failure; <see langword="null"/> on success.</summary>
    Error? Error { get; }
}

/// <summary>Makes a failed result of a type that is only known as a type parameter, as pipeline behaviours need it.</summary>
/// <typeparam name="TSelf">The result type.</typeparam>
public interface IFailable<out TSelf>
    where TSelf : IFailable<TSelf>
{
    /// <summary>A failed result.</summary>
    static abstract TSelf Failure(Error error);
}

/// <summary>Success without a value, or an <see cref="SevenX42.Error"/>.</summary>
public sealed record Result : IOutcome, IFailable<Result>
{
    private Result(Error? error) => Error = error;

    /// <inheritdoc/>
    public Error? Error { get; }

    /// <summary>Whether this is a success.</summary>
    [MemberNotNullWhen(false, nameof(Error))]
    public bool IsSuccess => Error is null;

    /// <summary>The success.</summary>
    public static Result Success { get; } = new(null);

    /// <inheritdoc/>
    public static Result Failure(Error error) => new(error);

    /// <summary>A failed result.</summary>
    public static implicit operator Result(Error error) => new(error);
}

/// <summary>A value, or an <see cref="SevenX42.Error"/>.</summary>
/// <typeparam name="T">The value's type.</typeparam>
public sealed record Result<T> : IOutcome, IFailable<Result<T>>
{
    private readonly T? _value;

    private Result(T? value, Error? error) => (_value, Error) = (value, error);

    /// <inheritdoc/>
    public Error? Error { get; }

    /// <summary>Whether there is a value.</summary>
    [MemberNotNullWhen(false, nameof(Error))]
    public bool IsSuccess => Error is null;

    /// <summary>The value.</summary>
    /// <exception cref="InvalidOperationException">The result is a failure.</exception>
    public T Value => IsSuccess ? _value! : throw new InvalidOperationException($"No value: {Error.Code}.");

    /// <summary>A failed result.</summary>
    public static Result<T> Failure(Error error) => new(default, error);

    /// <summary>A value.</summary>
    public static implicit operator Result<T>(T value) => new(value, null);

    /// <summary>A failed result.</summary>
    public static implicit operator Result<T>(Error error) => new(default, error);
}
