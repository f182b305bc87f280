using MediatR;
using Microsoft.EntityFrameworkCore;

namespace SevenX42.Pipeline;

/// <summary>
/// Saves what a command changed, and the events it raised, in one transaction, when its handler succeeded; a refused
/// command saves nothing. Derive a sealed class per module, constrained to the module's marker.
/// </summary>
public abstract class UnitOfWorkBehavior<TRequest, TResponse, TContext>(TContext context) : IPipelineBehavior<TRequest, TResponse>
    where TRequest : notnull
    where TResponse : IOutcome
    where TContext : DbContext
{
    /// <inheritdoc/>
    public async Task<TResponse> Handle(
        TRequest request, RequestHandlerDelegate<TResponse> next, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(next);
        var response = await next(cancellationToken);
        if (request is not ICommand || response.Error is not null)
            return response;
        await context.SaveChangesAsync(cancellationToken);
        // A handler that locks rows has begun a transaction of its own; what it refuses is rolled back with its scope.
        if (context.Database.CurrentTransaction is { } transaction)
            await transaction.CommitAsync(cancellationToken);
        return response;
    }
}
