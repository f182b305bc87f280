using FluentValidation;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Pipeline;

namespace SevenX42.Modules.Generation;

/// <summary>Marks the module's requests; its pipeline runs for these and no others.</summary>
internal interface IGenerationRequest;

/// <summary>Changes something and returns nothing.</summary>
internal interface IGenerationCommand : IRequest<Result>, IGenerationRequest, ICommand;

/// <summary>Changes something and returns a value.</summary>
internal interface IGenerationCommand<T> : IRequest<Result<T>>, IGenerationRequest, ICommand;

/// <summary>Changes nothing and returns a value.</summary>
internal interface IGenerationQuery<T> : IRequest<Result<T>>, IGenerationRequest, IQuery;

internal sealed class GenerationLogging<TRequest, TResponse>(ILogger<GenerationModule> logger, TimeProvider time)
    : LoggingBehavior<TRequest, TResponse>(logger, time)
    where TRequest : IGenerationRequest
    where TResponse : IOutcome;

internal sealed class GenerationValidation<TRequest, TResponse>(IEnumerable<IValidator<TRequest>> validators)
    : ValidationBehavior<TRequest, TResponse>(validators)
    where TRequest : IGenerationRequest
    where TResponse : IFailable<TResponse>;

internal sealed class GenerationUnitOfWork<TRequest, TResponse>(GenerationDbContext context)
    : UnitOfWorkBehavior<TRequest, TResponse, GenerationDbContext>(context)
    where TRequest : IGenerationRequest
    where TResponse : IOutcome;

internal static class GenerationPipelineRegistration
{
    public static IServiceCollection AddGenerationPipeline(this IServiceCollection services) => services
        .AddValidatorsFromAssemblyContaining<GenerationModule>(includeInternalTypes: true)
        .AddMediatR(mediator => mediator
            .RegisterServicesFromAssemblyContaining<GenerationModule>()
            .AddOpenBehavior(typeof(GenerationLogging<,>))
            .AddOpenBehavior(typeof(GenerationValidation<,>))
            .AddOpenBehavior(typeof(GenerationUnitOfWork<,>)));
}
