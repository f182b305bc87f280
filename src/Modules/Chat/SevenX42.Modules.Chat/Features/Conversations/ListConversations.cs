using System.Globalization;
using MediatR;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using SevenX42.Http;
using SevenX42.Modules.Chat.Infrastructure;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Features.Conversations;

/// <summary>Lists conversations: the pinned ones, then by the day of their last message; loads on from a cursor.</summary>
/// <param name="After">Cursor of the page before; null to begin at the top.</param>
/// <param name="Loaded">How many, without the pinned ones, a page shows already: it keeps as many, or gets those after them.</param>
/// <param name="Zone">Whose days count.</param>
internal sealed record ListConversations(string? After, int Loaded, TimeZoneInfo Zone) : IChatQuery<ConversationListVm>;

internal sealed class ListConversationsHandler(ChatDbContext context, ICurrentUser user, IChannelLog log, TimeProvider time)
    : IRequestHandler<ListConversations, Result<ConversationListVm>>
{
    private const int PageSize = 40;
    private const int MostLoaded = 1_000;
    private const int MostPinned = 100;

    public async Task<Result<ConversationListVm>> Handle(ListConversations request, CancellationToken cancellationToken)
    {
        if (user.Id is not { } owner)
            return new ConversationListVm("", "", [], null, 0);
        var position = await log.GetSnapshotPositionAsync(Channels.OfUser(owner), cancellationToken);
        var cursor = Cursor.Parse(request.After);
        var mine = context.Conversations.AsNoTracking().Where(c => c.OwnerId == owner && c.DeletedAt == null && !c.IsStudio);
        var groups = new List<ConversationGroupVm>();
        if (cursor is null)
        {
            var pinned = await mine.Where(c => c.PinnedAt != null).OrderByDescending(c => c.PinnedAt).Take(MostPinned)
                .Select(c => new ConversationItemVm(c.Id, c.Title, true)).ToListAsync(cancellationToken);
            if (pinned.Count > 0)
                groups.Add(new ConversationGroupVm("Pinned", pinned));
        }

        var page = mine.Where(c => c.PinnedAt == null);
        if (cursor is { } after)
            page = page.Where(c => c.UpdatedAt < after.UpdatedAt || (c.UpdatedAt == after.UpdatedAt && c.Id < after.Id));
        var size = cursor is null ? Math.Clamp(request.Loaded, PageSize, MostLoaded) : PageSize;
        var recent = await page.OrderByDescending(c => c.UpdatedAt).ThenByDescending(c => c.Id).Take(size + 1)
            .Select(c => new { c.Id, c.Title, c.UpdatedAt }).ToListAsync(cancellationToken);
        var today = DayOf(time.GetUtcNow(), request.Zone);
        // A group that the page before has begun goes on without its name.
        var begun = cursor is null ? null : NameOf(DayOf(cursor.UpdatedAt, request.Zone), today);
        groups.AddRange(recent.Take(size)
            .GroupBy(c => NameOf(DayOf(c.UpdatedAt, request.Zone), today))
            .Select(g => new ConversationGroupVm(g.Key == begun ? null : g.Key, [.. g.Select(c => new ConversationItemVm(c.Id, c.Title, false))])));
        var next = recent.Count > size ? new Cursor(recent[size - 1].UpdatedAt, recent[size - 1].Id).ToString() : null;
        var loaded = Math.Min(recent.Count, size) + (cursor is null ? 0 : Math.Clamp(request.Loaded, 0, MostLoaded));
        return new ConversationListVm(Channels.OfUser(owner), position.ToString(), groups, next, loaded);
    }

    private static DateOnly DayOf(DateTimeOffset moment, TimeZoneInfo zone) => DateOnly.FromDateTime(TimeZoneInfo.ConvertTime(moment, zone).DateTime);

    private static string NameOf(DateOnly day, DateOnly today) => (today.DayNumber - day.DayNumber) switch
    {
        <= 0 => "Today",
        1 => "Yesterday",
        <= 7 => "Previous 7 days",
        <= 30 => "Previous 30 days",
        _ => day.ToString("MMMM yyyy", CultureInfo.InvariantCulture),
    };

    private sealed record Cursor(DateTimeOffset UpdatedAt, Guid Id)
    {
        public static Cursor? Parse(string? text) =>
            text?.Split('_') is [var ticks, var id]
            && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            && value <= DateTimeOffset.MaxValue.Ticks
            && Guid.TryParseExact(id, "N", out var guid)
                ? new Cursor(new DateTimeOffset(value, TimeSpan.Zero), guid)
                : null;

        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{UpdatedAt.UtcTicks}_{Id:N}");
    }
}

internal static class ListConversationsEndpoint
{
    public static async Task<IResult> Get(string? after, int? loaded, ISender sender, HttpContext http)
    {
        var result = await sender.Send(new ListConversations(after, loaded ?? 0, http.Request.TimeZone()));
        if (!result.IsSuccess)
            return result.Error.ToResult();
        var parameters = new Dictionary<string, object?> { ["Model"] = result.Value };
        if (after is null)
            return Html.Fragment<ConversationList>(parameters);
        return http.Request.WantsPage()
            ? Html.Page<OlderConversations>("Older conversations", parameters)
            : Html.Fragment<ConversationGroups>(parameters);
    }
}

/// <summary>A part of the list.</summary>
/// <param name="Channel">The channel to watch; empty when nobody is signed in.</param>
/// <param name="Position">Where to watch from.</param>
/// <param name="Groups">Groups in order.</param>
/// <param name="After">Cursor of the next part; null when there is none.</param>
/// <param name="Loaded">How many there are up to here, without the pinned ones.</param>
public sealed record ConversationListVm(string Channel, string Position, IReadOnlyList<ConversationGroupVm> Groups, string? After, int Loaded);

/// <summary>Conversations of one day or so.</summary>
/// <param name="Name">What they have in common; null when they go on where the page before ended.</param>
/// <param name="Conversations">The newest first.</param>
public sealed record ConversationGroupVm(string? Name, IReadOnlyList<ConversationItemVm> Conversations);

/// <summary>A conversation in the list.</summary>
public sealed record ConversationItemVm(Guid Id, string Title, bool IsPinned);
