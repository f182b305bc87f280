using FluentValidation;
using MediatR;

namespace SevenX42.Pipeline;

/// <summary>
/// Runs the request's validators; the first failure becomes an <see cref="ErrorKind.Invalid"/> result with the failed rule's
/// error code, message and property. Derive a sealed class per module, constrained to the module's marker.
/// </summary>
public abstract class ValidationBehavior<TRequest, TResponse>(IEnumerable<IValidator<TRequest>> validators)
    : IPipelineBehavior<TRequest, TResponse>
    where TRequest : notnull
    where TResponse : IFailable<TResponse>
{
    /// <inheritdoc/>
    public async Task<TResponse> Handle(
        TRequest request, RequestHandlerDelegate<TResponse> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        foreach (var validator in validators)
        {
            var result = await validator.ValidateAsync(request, cancellationToken);
            if (result.Errors is [var first, ..])
                return TResponse.Failure(Error.Invalid(first.ErrorCode, first.ErrorMessage, first.PropertyName));
        }

        return await next(cancellationToken);
    }
}
