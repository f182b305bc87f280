using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Contracts.Media;
using SevenX42.Http;
using SevenX42.Messaging;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Features.Messages;
using SevenX42.Modules.Chat.Features.Studio;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Modules.Chat.Integration;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Persistence;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat;

/// <summary>The Chat module: conversations, their trees of messages, and what browsers see of them.</summary>
public sealed class ChatModule : IModule
{
    internal const string Schema = "chat";

    /// <inheritdoc/>
    public string Name => Schema;

    /// <inheritdoc/>
    public void Add(IServiceCollection services, IConfiguration configuration)
    {
        services.AddModuleDbContext<ChatDbContext>(Schema);
        services.AddChatPipeline();
        services.AddSingleton<MarkdownRenderer>();
        services.AddSingleton<RenderedMessages>();
        services.AddScoped<LiveAnswers>();
        services.AddScoped<MessageViews>();
        services.AddScoped<MessageIds>();
        services.AddScoped<AnswerRequests>();
        services.AddScoped<Drawings>();
        services.AddScoped<SentPictures>();
        services.AddSingleton<IChannelKind, ConversationChannel>();
        services.AddSingleton<IChannelKind, UserChannel>();
        services.AddSingleton(new SidebarContent(typeof(Sidebar)));
        services.AddHostedService<ConversationPurge>();
        services.AddHostedService<AbandonedAnswers>();
        services.AddIntegrationEventHandler<ConversationChanged, AnnounceConversationChange>();
        services.AddIntegrationEventHandler<ConversationChanged, StopDeletedAnswers>();
        services.AddIntegrationEventHandler<GenerationFinished, GenerationFinishedHandler>();
        services.AddIntegrationEventHandler<UserDeleted, UserDeletedHandler>();
    }

    /// <inheritdoc/>
    public void Map(IEndpointRouteBuilder routes)
    {
        using var scope = routes.ServiceProvider.CreateScope();
        var withPictures = new LargeForm(SentPictures.LargestForm(scope.ServiceProvider.GetRequiredService<IMediaApi>().MaxBytes));
        routes.MapGet("/", ReadConversationEndpoint.New).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/c/{conversationId:guid}", ReadConversationEndpoint.Get).RequireAuthorization();
        routes.MapGet("/studio", ReadStudioEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/studio/prompts", ListPromptsEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/composer/picture", ReadDrawingOptionsEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/search", SearchConversationsEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapGet("/conversations", ListConversationsEndpoint.Get).RequireAuthorization(AccessPolicies.Visitors);
        routes.MapPost("/conversations", SendMessageEndpoint.Begin)
            .WithMetadata(new AllowGuestCreation(), withPictures)
            .WithFormOptions(multipartBodyLengthLimit: withPictures.MaxRequestBodySize)
            .RequireAuthorization();
        routes.MapPost("/studio", SendMessageEndpoint.Draw).WithMetadata(new AllowGuestCreation()).RequireAuthorization();

        var conversation = routes.MapGroup("/conversations/{conversationId:guid}").RequireAuthorization();
        conversation.MapGet("/transcript", ReadTranscriptEndpoint.Get);
        conversation.MapGet("/earlier", ReadMoreEndpoint.Earlier);
        conversation.MapGet("/later", ReadMoreEndpoint.Later);
        conversation.MapGet("/messages/{messageId:guid}", ReadMessageEndpoint.Get);
        conversation.MapGet("/messages/{messageId:guid}/raw", ReadMarkdownEndpoint.Get);
        conversation.MapGet("/messages/{messageId:guid}/edit", ReadMessageEndpoint.Edit);
        conversation.MapGet("/settings", ReadSettingsEndpoint.Get);
        conversation.MapPost("/messages", SendMessageEndpoint.Post)
            .WithMetadata(withPictures)
            .WithFormOptions(multipartBodyLengthLimit: withPictures.MaxRequestBodySize);
        conversation.MapPost("/messages/{messageId:guid}/edit", EditMessageEndpoint.Post);
        conversation.MapPost("/answers/{answerId:guid}/regenerate", RegenerateAnswerEndpoint.Post);
        conversation.MapPost("/answers/{answerId:guid}/stop", StopAnswerEndpoint.Post);
        conversation.MapPost("/answers/{answerId:guid}/retry", ResumeAnswerEndpoint.Retry);
        conversation.MapPost("/answers/{answerId:guid}/continue", ResumeAnswerEndpoint.Continue);
        conversation.MapPost("/branch", SelectBranchEndpoint.Post);
        conversation.MapPost("/title", ChangeConversationEndpoint.Title);
        conversation.MapPost("/pin", ChangeConversationEndpoint.Pin);
        conversation.MapPost("/settings", ChangeConversationEndpoint.Settings);
        conversation.MapPost("/delete", DeleteConversationEndpoint.Post);
        conversation.MapPost("/restore", RestoreConversationEndpoint.Post);
    }
}
