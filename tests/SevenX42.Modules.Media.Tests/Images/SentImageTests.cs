using System.Net;
using MediatR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using NetVips;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Integration;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Images;

/// <summary>Pictures that are sent with something else: held back until that is stored, then their owner's; and shown to models.</summary>
public sealed class SentImageTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Ben = new("0197aaaa-0000-7000-8000-000000000002");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_held_back_is_nobodys_until_it_is_kept_and_then_its_owners_once()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var id = (await HoldAsync(host, Pictures.Jpeg(700, 500), new SentImage(NewId(), 0, "../my\u202ephoto.jpeg"))).Value;
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync($"/media/assets/{id}", Cancellation)).StatusCode);
        Assert.Equal(0, await host.BytesOfAsync(Ann));
        Assert.Empty(await FindAsync(host, id));

        var conversation = NewId();
        Assert.True((await KeepAsync(host, conversation, id)).IsSuccess);
        Assert.True((await KeepAsync(host, conversation, id)).IsSuccess);
        Assert.Equal((700, 500), (await FindAsync(host, id)).Select(a => (a.Picture!.Width, a.Picture.Height)).Single());
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync($"/media/assets/{id}?w=320", Cancellation)).StatusCode);
        var row = await host.QueryAsync(context => context.Assets.SingleAsync(Cancellation));
        Assert.Equal(("myphoto.jpg", conversation, null), (row.FileName, row.ConversationId, row.Prompt));
        Assert.Equal(row.ChargedBytes, await host.BytesOfAsync(Ann));

        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(new ConversationDeleted(NewId(), conversation, Ann));
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task The_same_picture_of_the_same_sending_is_one_and_any_other_is_another()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var (sending, picture) = (NewId(), Pictures.Png());
        var first = await HoldAsync(host, picture, new SentImage(sending, 0, "a.png"));
        Assert.Equal(first.Value, (await HoldAsync(host, picture, new SentImage(sending, 0, "b.png"))).Value);
        var others = new[]
        {
            await HoldAsync(host, picture, new SentImage(sending, 1, "a.png")),
            await HoldAsync(host, picture, new SentImage(NewId(), 0, "a.png")),
            await HoldAsync(host, Pictures.Png(), new SentImage(sending, 0, "a.png")),
            await HoldAsync(host, picture, new SentImage(sending, 0, "a.png"), Ben),
        };
        Assert.Equal(5, others.Append(first).Select(h => h.Value).Distinct().Count());
    }

    [Fact]
    public async Task What_is_no_picture_is_too_large_or_does_not_fit_is_refused_in_a_sentence_and_leaves_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "800000"), ("Media:MaxAssetBytes", "500000"));
        foreach (var (content, code) in ((byte[] Content, string Code)[])[
            ([], "empty_file"), ("%PDF-1.7 and so on"u8.ToArray(), "no_image"), ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], "no_image"),
            (Uploads.NewText(), "no_image"), (Uploads.NewText(600_000), "too_large"), (Pictures.Png()[..40], "broken_image")])
        {
            Assert.Equal(code, (await HoldAsync(host, content, new SentImage(NewId(), 0, "x"))).Error?.Code);
        }

        await UploadAssetTests.AssertNothingIsLeftAsync(host);
        // What is held takes room from what is held next, though nobody is charged for it.
        var conversation = NewId();
        var held = new List<Guid>();
        while (await HoldAsync(host, Pictures.Png(900, 700), new SentImage(NewId(), 0, "x")) is { IsSuccess: true } one)
            held.Add(one.Value);
        Assert.NotEmpty(held);
        Assert.Equal("quota_exceeded", (await HoldAsync(host, Pictures.Png(900, 700), new SentImage(NewId(), 0, "x"))).Error?.Code);
        Assert.Equal(0, await host.BytesOfAsync(Ann));

        // Something else takes it before they are kept: none of them is.
        using var client = host.ClientOf(Ann);
        for (var i = 0; i < 2; i++)
            (await client.UploadAsync(Uploads.NewText(390_000 + i))).EnsureSuccessStatusCode();
        Assert.Equal("quota_exceeded", (await KeepAsync(host, conversation, [.. held])).Error?.Code);
        Assert.Empty(await FindAsync(host, [.. held]));
        Assert.Equal(780_001, await host.BytesOfAsync(Ann));
    }

    [Fact]
    public async Task What_is_never_kept_is_swept_and_nobody_else_keeps_it()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var id = (await HoldAsync(host, Pictures.Png(400, 300), new SentImage(NewId(), 0, "x"))).Value;
        Assert.Equal("picture_gone", (await KeepForAsync(host, Ben, NewId(), id)).Error?.Code);
        var gone = NewId();
        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(new ConversationDeleted(NewId(), gone, Ann));
        Assert.Equal(ErrorKind.NotFound, (await KeepAsync(host, gone, id)).Error?.Kind);
        await host.PurgeAsync();
        Assert.Equal("picture_gone", (await KeepAsync(host, NewId(), id)).Error?.Code);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task What_is_kept_counts_and_is_in_the_gallery_with_its_conversation_once_its_message_is_stored()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var (conversation, sending, picture) = (NewId(), NewId(), Pictures.Png(400, 300));
        var id = (await HoldAsync(host, picture, new SentImage(sending, 0, "x"))).Value;
        Assert.Empty(await GalleryAsync(host));
        await KeepAsync(host, conversation, id);
        Assert.Equal([(id, null)], await GalleryAsync(host));

        // Whoever sends it again has the whole time anew.
        await host.QueryAsync(context => context.Assets.ExecuteUpdateAsync(
            set => set.SetProperty(a => a.UnconfirmedSince, TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(2)), Cancellation));
        Assert.Equal(id, (await HoldAsync(host, picture, new SentImage(sending, 0, "x"))).Value);
        Assert.True((await KeepAsync(host, conversation, id)).IsSuccess);
        await host.SweepAsync(TimeSpan.FromDays(7));
        Assert.NotNull((await host.QueryAsync(context => context.Assets.AsNoTracking().SingleAsync(Cancellation))).UnconfirmedSince);

        var sent = new PicturesSent(NewId(), conversation, Ann, [id]);
        await host.DeliverAsync<PicturesSentHandler, PicturesSent>(sent with { EventId = NewId(), UserId = Ben });
        Assert.Equal([(id, null)], await GalleryAsync(host));
        await host.DeliverAsync<PicturesSentHandler, PicturesSent>(sent);
        Assert.Equal([(id, conversation)], await GalleryAsync(host));

        // Sent again once it is stored, it is not waited for again: nobody would tell of it a second time.
        Assert.Equal(id, (await HoldAsync(host, picture, new SentImage(sending, 0, "x"))).Value);
        Assert.True((await KeepAsync(host, conversation, id)).IsSuccess);
        Assert.Equal([(id, conversation)], await GalleryAsync(host));
        await host.SweepAsync(TimeSpan.FromDays(1000));
        Assert.Equal([(id, conversation)], await GalleryAsync(host));
    }

    [Fact]
    public async Task What_was_kept_for_a_message_that_never_came_stays_its_owners_to_see_delete_and_send_again()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var (conversation, source, picture) = (NewId(), new SentImage(NewId(), 0, "x"), Pictures.Png(400, 300));
        var id = (await HoldAsync(host, picture, source)).Value;
        await KeepAsync(host, conversation, id);
        await host.SweepAsync(TimeSpan.FromDays(9));
        var row = await host.QueryAsync(context => context.Assets.AsNoTracking().SingleAsync(Cancellation));
        Assert.Equal((id, null, null, null), (row.Id, row.ConversationId, row.UnconfirmedSince, row.DeletedAt));
        Assert.Equal(row.ChargedBytes, await host.BytesOfAsync(Ann));
        Assert.Equal([(id, null)], await GalleryAsync(host));

        Assert.Equal(id, (await HoldAsync(host, picture, source)).Value);
        Assert.True((await KeepAsync(host, conversation, id)).IsSuccess);
        row = await host.QueryAsync(context => context.Assets.AsNoTracking().SingleAsync(Cancellation));
        Assert.Equal((conversation, false), (row.ConversationId, row.UnconfirmedSince is null));
        Assert.Equal(row.ChargedBytes, await host.BytesOfAsync(Ann));

        (await client.DeleteAsync($"/media/assets/{id}", Cancellation)).EnsureSuccessStatusCode();
        Assert.Equal(0, await host.BytesOfAsync(Ann));
        await host.PurgeAsync();
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task What_is_refused_leaves_the_pictures_that_were_let_go_as_they_were()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "800000"));
        var letGo = (await HoldAsync(host, Pictures.Png(40, 30), new SentImage(NewId(), 0, "x"))).Value;
        await KeepAsync(host, NewId(), letGo);
        await host.SweepAsync(TimeSpan.FromDays(9));
        var conversation = NewId();
        var held = (await HoldAsync(host, Pictures.Png(400, 300), new SentImage(NewId(), 0, "x"))).Value;

        Assert.Equal("picture_gone", (await KeepAsync(host, conversation, letGo, held, NewId())).Error?.Code);
        await AssertIsLetGoAsync();
        var gone = NewId();
        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(new ConversationDeleted(NewId(), gone, Ann));
        Assert.Equal(ErrorKind.NotFound, (await KeepAsync(host, gone, letGo, held)).Error?.Kind);
        await AssertIsLetGoAsync();
        // Nor does one go where it would never be deleted from.
        Assert.Equal(ErrorKind.NotFound, (await KeepAsync(host, gone, letGo)).Error?.Kind);
        await AssertIsLetGoAsync();
        await host.QueryAsync(context => context.Database.ExecuteSqlAsync($"UPDATE media.owners SET bytes = bytes + 799000", Cancellation));
        Assert.Equal("quota_exceeded", (await KeepAsync(host, conversation, letGo, held)).Error?.Code);
        await AssertIsLetGoAsync();

        // For what is charged already there is room.
        await host.QueryAsync(context => context.Database.ExecuteSqlAsync($"UPDATE media.owners SET bytes = 900000", Cancellation));
        Assert.True((await KeepAsync(host, conversation, letGo)).IsSuccess);
        Assert.Equal(900_000, await host.BytesOfAsync(Ann));

        async Task AssertIsLetGoAsync()
        {
            var row = await host.QueryAsync(context => context.Assets.AsNoTracking().SingleAsync(a => a.Id == letGo, Cancellation));
            Assert.Equal((null, null, null), (row.ConversationId, row.UnconfirmedSince, row.DeletedAt));
        }
    }

    [Fact]
    public async Task Models_are_shown_a_JPEG_of_1024_pixels_at_most_without_what_one_sees_through()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        foreach (var (picture, width, height) in ((byte[] Picture, int Width, int Height)[])[
            (Pictures.Png(2000, 500), 1024, 256), (Pictures.WebP(300, 1500), 205, 1024), (Pictures.Gif(60, 40), 60, 40)])
        {
            Assert.Equal((width, height, 3), ShapeOf(await ReadNewAsync(host, picture)));
        }

        using var seeThrough = Pictures.WithAlpha(200, 100);
        var flat = await ReadNewAsync(host, seeThrough.PngsaveBuffer());
        Assert.Equal((200, 100, 3), ShapeOf(flat));
        using var grey = Pictures.Grey(50, 50);
        Assert.Equal((50, 50, 1), ShapeOf(await ReadNewAsync(host, grey.PngsaveBuffer())));
    }

    [Fact]
    public async Task Only_what_its_owner_still_has_is_shown()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var id = (await HoldAsync(host, Pictures.Png(), new SentImage(NewId(), 0, "x"))).Value;
        Assert.Equal(ErrorKind.NotFound, (await ReadAsync(host, Ann, id)).Error?.Kind);
        await KeepAsync(host, NewId(), id);
        Assert.True((await ReadAsync(host, Ann, id)).IsSuccess);
        Assert.Equal(ErrorKind.NotFound, (await ReadAsync(host, Ben, id)).Error?.Kind);
        await client.DeleteAsync($"/media/assets/{id}", Cancellation);
        Assert.Equal(ErrorKind.NotFound, (await ReadAsync(host, Ann, id)).Error?.Kind);
    }

    private static (int Width, int Height, int Bands) ShapeOf(ReadOnlyMemory<byte> jpeg)
    {
        Assert.Equal([0xFF, 0xD8, 0xFF], jpeg[..3].ToArray());
        using var image = Image.JpegloadBuffer(jpeg.ToArray());
        return (image.Width, image.Height, image.Bands);
    }

    private static async Task<ReadOnlyMemory<byte>> ReadNewAsync(MediaHost host, byte[] picture)
    {
        var id = (await HoldAsync(host, picture, new SentImage(NewId(), 0, "x"))).Value;
        await KeepAsync(host, NewId(), id);
        return (await ReadAsync(host, Ann, id)).Value;
    }

    private static Task<Result<ReadOnlyMemory<byte>>> ReadAsync(MediaHost host, Guid owner, Guid id) =>
        WithMediaAsync(host, media => media.ReadForModelAsync(owner, id, Cancellation));

    private static Task<IReadOnlyList<AssetInfo>> FindAsync(MediaHost host, params Guid[] ids) =>
        WithMediaAsync(host, media => media.FindAsync(Ann, ids, Cancellation));

    private static Task<Result> KeepAsync(MediaHost host, Guid conversation, params Guid[] ids) => KeepForAsync(host, Ann, conversation, ids);

    private static Task<Result> KeepForAsync(MediaHost host, Guid owner, Guid conversation, params Guid[] ids) =>
        WithMediaAsync(host, media => media.KeepAsync(owner, ids, conversation, Cancellation));

    private static Task<Result<Guid>> HoldAsync(MediaHost host, byte[] content, SentImage source, Guid? owner = null) =>
        WithMediaAsync(host, async media =>
        {
            using var stream = new MemoryStream(content);
            return await media.HoldAsync(owner ?? Ann, stream, source, Cancellation);
        });

    private static async Task<T> WithMediaAsync<T>(MediaHost host, Func<IMediaApi, Task<T>> ask)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return await ask(scope.ServiceProvider.GetRequiredService<IMediaApi>());
    }

    /// <summary>Ann's pictures, and where they were made as far as that is said.</summary>
    private static async Task<IEnumerable<(Guid Id, Guid? Conversation)>> GalleryAsync(MediaHost host)
    {
        await using var scope = host.Services.CreateAsyncScope();
        var found = await scope.ServiceProvider.GetRequiredService<ISender>().Send(new ListImages(Ann, "", After: null), Cancellation);
        return found.Value.Images.Select(i => (i.Asset.Id, i.ConversationId));
    }

    private static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
