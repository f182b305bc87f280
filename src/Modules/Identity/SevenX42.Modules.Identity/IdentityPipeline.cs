using FluentValidation;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Identity.Infrastructure;
using SevenX42.Pipeline;

namespace SevenX42.Modules.Identity;

/// <summary>Marks the module's requests; its pipeline runs for these and no others.</summary>
internal interface IIdentityRequest;

/// <summary>Changes something and returns nothing.</summary>
internal interface IIdentityCommand : IRequest<Result>, IIdentityRequest, ICommand;

/// <summary>Changes something and returns a value.</summary>
internal interface IIdentityCommand<T> : IRequest<Result<T>>, IIdentityRequest, ICommand;

/// <summary>Changes nothing and returns a value.</summary>
internal interface IIdentityQuery<T> : IRequest<Result<T>>, IIdentityRequest, IQuery;

internal sealed class IdentityLogging<TRequest, TResponse>(ILogger<IdentityModule> logger, TimeProvider time)
    : LoggingBehavior<TRequest, TResponse>(logger, time)
    where TRequest : IIdentityRequest
    where TResponse : IOutcome;

internal sealed class IdentityValidation<TRequest, TResponse>(IEnumerable<IValidator<TRequest>> validators)
    : ValidationBehavior<TRequest, TResponse>(validators)
    where TRequest : IIdentityRequest
    where TResponse : IFailable<TResponse>;

internal sealed class IdentityUnitOfWork<TRequest, TResponse>(IdentityDbContext context)
    : UnitOfWorkBehavior<TRequest, TResponse, IdentityDbContext>(context)
    where TRequest : IIdentityRequest
    where TResponse : IOutcome;

internal static class IdentityPipelineRegistration
{
    public static IServiceCollection AddIdentityPipeline(this IServiceCollection services) => services
        .AddValidatorsFromAssemblyContaining<IdentityModule>(includeInternalTypes: true)
        .AddMediatR(mediator => mediator
            .RegisterServicesFromAssemblyContaining<IdentityModule>()
            .AddOpenBehavior(typeof(IdentityLogging<,>))
            .AddOpenBehavior(typeof(IdentityValidation<,>))
            .AddOpenBehavior(typeof(IdentityUnitOfWork<,>)));
}
