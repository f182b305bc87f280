namespace MediatR;

/// <summary>Common supertype of requests with and without a response.</summary>
public interface IBaseRequest;

/// <summary>A request without a response.</summary>
public interface IRequest : IBaseRequest;

/// <summary>A request answered by one <typeparamref name="TResponse"/>.</summary>
public interface IRequest<out TResponse> : IBaseRequest;

/// <summary>A request answered by a sequence of <typeparamref name="TResponse"/>.</summary>
public interface IStreamRequest<out TResponse>;

/// <summary>A message to any number of in-process handlers.</summary>
public interface INotification;

/// <summary>The response of a request that has none.</summary>
public readonly struct Unit : IEquatable<Unit>, IComparable<Unit>, IComparable
{
    private static readonly Unit Only;

    /// <summary>The only value.</summary>
    public static ref readonly Unit Value => ref Only;

    /// <summary>A completed task of the only value.</summary>
    public static Task<Unit> Task { get; } = System.Threading.Tasks.Task.FromResult(Only);

    /// <inheritdoc/>
    public int CompareTo(Unit other) => 0;

    int IComparable.CompareTo(object? obj) => 0;

    /// <inheritdoc/>
    public override int GetHashCode() => 0;

    /// <inheritdoc/>
    public bool Equals(Unit other) => true;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Unit;

    /// <summary>Always equal.</summary>
    public static bool operator ==(Unit first, Unit second) => true;

    /// <summary>Never different.</summary>
    public static bool operator !=(Unit first, Unit second) => false;

    /// <summary>Never before another.</summary>
    public static bool operator <(Unit left, Unit right) => false;

    /// <summary>Always equal.</summary>
    public static bool operator <=(Unit left, Unit right) => true;

    /// <summary>Never after another.</summary>
    public static bool operator >(Unit left, Unit right) => false;

    /// <summary>Always equal.</summary>
    public static bool operator >=(Unit left, Unit right) => true;

    /// <inheritdoc/>
    public override string ToString() => "()";
}
