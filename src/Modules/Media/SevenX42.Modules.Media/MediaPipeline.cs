using FluentValidation;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Pipeline;

namespace SevenX42.Modules.Media;

/// <summary>Marks the module's requests; its pipeline runs for these and no others.</summary>
internal interface IMediaRequest;

/// <summary>Changes something and returns nothing.</summary>
internal interface IMediaCommand : IRequest<Result>, IMediaRequest, ICommand;

/// <summary>Changes something and returns a value.</summary>
internal interface IMediaCommand<T> : IRequest<Result<T>>, IMediaRequest, ICommand;

/// <summary>Changes nothing and returns a value.</summary>
internal interface IMediaQuery<T> : IRequest<Result<T>>, IMediaRequest, IQuery;

internal sealed class MediaLogging<TRequest, TResponse>(ILogger<MediaModule> logger, TimeProvider time)
    : LoggingBehavior<TRequest, TResponse>(logger, time)
    where TRequest : IMediaRequest
    where TResponse : IOutcome;

internal sealed class MediaValidation<TRequest, TResponse>(IEnumerable<IValidator<TRequest>> validators)
    : ValidationBehavior<TRequest, TResponse>(validators)
    where TRequest : IMediaRequest
    where TResponse : IFailable<TResponse>;

internal sealed class MediaUnitOfWork<TRequest, TResponse>(MediaDbContext context)
    : UnitOfWorkBehavior<TRequest, TResponse, MediaDbContext>(context)
    where TRequest : IMediaRequest
    where TResponse : IOutcome;

internal static class MediaPipelineRegistration
{
    public static IServiceCollection AddMediaPipeline(this IServiceCollection services) => services
        .AddValidatorsFromAssemblyContaining<MediaModule>(includeInternalTypes: true)
        .AddMediatR(mediator => mediator
            .RegisterServicesFromAssemblyContaining<MediaModule>()
            .AddOpenBehavior(typeof(MediaLogging<,>))
            .AddOpenBehavior(typeof(MediaValidation<,>))
            .AddOpenBehavior(typeof(MediaUnitOfWork<,>)));
}
