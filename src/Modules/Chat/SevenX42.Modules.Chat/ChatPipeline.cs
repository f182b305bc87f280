using FluentValidation;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Pipeline;

namespace SevenX42.Modules.Chat;

/// <summary>Marks the module's requests; its pipeline runs for these and no others.</summary>
internal interface IChatRequest;

/// <summary>Changes something and returns nothing.</summary>
internal interface IChatCommand : IRequest<Result>, IChatRequest, ICommand;

/// <summary>Changes something and returns a value.</summary>
internal interface IChatCommand<T> : IRequest<Result<T>>, IChatRequest, ICommand;

/// <summary>Changes nothing and returns a value.</summary>
internal interface IChatQuery<T> : IRequest<Result<T>>, IChatRequest, IQuery;

internal sealed class ChatLogging<TRequest, TResponse>(ILogger<ChatModule> logger, TimeProvider time)
    : LoggingBehavior<TRequest, TResponse>(logger, time)
    where TRequest : IChatRequest
    where TResponse : IOutcome;

internal sealed class ChatValidation<TRequest, TResponse>(IEnumerable<IValidator<TRequest>> validators)
    : ValidationBehavior<TRequest, TResponse>(validators)
    where TRequest : IChatRequest
    where TResponse : IFailable<TResponse>;

internal sealed class ChatUnitOfWork<TRequest, TResponse>(ChatDbContext context)
    : UnitOfWorkBehavior<TRequest, TResponse, ChatDbContext>(context)
    where TRequest : IChatRequest
    where TResponse : IOutcome;

internal static class ChatPipelineRegistration
{
    public static IServiceCollection AddChatPipeline(this IServiceCollection services) => services
        .AddValidatorsFromAssemblyContaining<ChatModule>(includeInternalTypes: true)
        .AddMediatR(mediator => mediator
            .RegisterServicesFromAssemblyContaining<ChatModule>()
            .AddOpenBehavior(typeof(ChatLogging<,>))
            .AddOpenBehavior(typeof(ChatValidation<,>))
            .AddOpenBehavior(typeof(ChatUnitOfWork<,>)));
}
