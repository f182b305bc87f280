using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Generation;
using SevenX42.Contracts.Identity;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Integration;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Images;

public sealed class GeneratedImageTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_picture_of_a_job_is_stored_with_where_it_comes_from()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var provenance = new ImageProvenance(NewId(), 3, NewId(), "a red\0 fox \ud83e\udd8a", "blur\udd8ary\0", long.MaxValue, "comfy\0/flux\ud83e");
        var stored = (await StoreAsync(host, Pictures.Png(700, 500), provenance)).Value;
        Assert.Equal((700, 500), (stored.Picture!.Width, stored.Picture.Height));
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(stored.Picture.Source, Cancellation)).StatusCode);
        var row = await host.QueryAsync(context => context.Assets.SingleAsync(Cancellation));
        Assert.Equal(("a red fox \ud83e\udd8a", "blur\ufffdry", long.MaxValue, "comfy/flux\ufffd"), (row.Prompt, row.NegativePrompt, row.Seed, row.Model));
        Assert.Equal((provenance.JobId, 3, provenance.ConversationId), (row.JobId, row.JobIndex, row.ConversationId));
        Assert.Equal(row.Bytes + row.VariantBytes, await host.BytesOfAsync(Ann));
    }

    [Fact]
    public async Task Workers_that_store_the_same_picture_store_it_once()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var job = NewId();
        var stored = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => StoreAsync(host, Pictures.Png(), new(job, i / 4, null, "a fox"))));
        Assert.Equal(2, stored.Select(s => s.Value.Id).Distinct().Count());
        Assert.Equal(2, await host.CountAssetsAsync());
        Assert.Equal(stored.Select(s => s.Value).DistinctBy(s => s.Id).Sum(s => s.Bytes), await host.BytesOfAsync(Ann));
        Assert.Equal(2, host.Files().Count);
        // Later, too, and whatever it is this time: what the first one stored counts.
        Assert.Equal(stored[0].Value.Id, (await StoreAsync(host, [1, 2, 3], new(job, 0, null, "a fox"))).Value.Id);
    }

    [Fact]
    public async Task What_was_deleted_does_not_come_back_because_a_worker_died()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var provenance = new ImageProvenance(NewId(), 0, null, "a fox");
        var stored = (await StoreAsync(host, Pictures.Png(), provenance)).Value;
        await client.DeleteAsync(stored.Path, Cancellation);
        Assert.Equal(stored.Id, (await StoreAsync(host, Pictures.Png(), provenance)).Value.Id);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(stored.Path, Cancellation)).StatusCode);
        Assert.Equal(0, await host.BytesOfAsync(Ann));
    }

    [Fact]
    public async Task What_is_no_picture_or_does_not_fit_is_refused_and_leaves_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:QuotaBytes", "3000"));
        Assert.Equal("no_image", (await StoreAsync(host, Uploads.NewText(), new(NewId(), 0, null, ""))).Error?.Code);
        Assert.Equal("broken_image", (await StoreAsync(host, Pictures.Png()[..40], new(NewId(), 0, null, ""))).Error?.Code);
        Assert.Equal("prompt_too_long", (await StoreAsync(host, Pictures.Png(), new(NewId(), 0, null, new string('a', 10_001)))).Error?.Code);
        // It comes in small and is charged as it is stored, smaller sizes included.
        var tight = Pictures.PngOf(Pictures.Header(5_000, 2_000, 1, 0), Pictures.Pixels(2_000 * 626), ("IEND", []));
        Assert.InRange(tight.Length, 0, 2_900);
        Assert.Equal("quota_exceeded", (await StoreAsync(host, tight, new(NewId(), 0, null, ""))).Error?.Code);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_deleted_conversation_takes_its_pictures_along_and_those_still_to_come()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var conversation = NewId();
        var kept = (await StoreAsync(host, Pictures.Png(), new(NewId(), 0, NewId(), "kept"))).Value;
        var deletedBefore = (await StoreAsync(host, Pictures.Png(400, 300), new(NewId(), 0, conversation, "deleted before"))).Value;
        await StoreAsync(host, Pictures.Png(700, 500), new(NewId(), 0, conversation, "gone"));
        await client.DeleteAsync(deletedBefore.Path, Cancellation);
        var deleted = new ConversationDeleted(NewId(), conversation, Ann);
        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(deleted);
        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(deleted);
        Assert.Equal(ErrorKind.NotFound, (await StoreAsync(host, Pictures.Png(), new(NewId(), 0, conversation, "too late"))).Error?.Kind);
        Assert.Equal(1, await host.CountAssetsAsync());
        Assert.Equal(kept.Bytes, await host.BytesOfAsync(Ann));
        Assert.Single(host.Files());
    }

    [Fact]
    public async Task What_the_end_of_a_job_does_not_name_is_gone_and_nothing_of_it_comes_later()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var (job, conversation) = (NewId(), NewId());
        var other = (await StoreAsync(host, Pictures.Png(), new(NewId(), 0, conversation, "of another job"))).Value;
        var named = (await StoreAsync(host, Pictures.Png(), new(job, 0, conversation, "named"))).Value;
        await StoreAsync(host, Pictures.Png(700, 500), new(job, 1, conversation, "lost", Seed: 8));
        var deleted = (await StoreAsync(host, Pictures.Png(400, 300), new(job, 2, conversation, "lost and deleted"))).Value;
        await client.DeleteAsync(deleted.Path, Cancellation);
        var found = await WithMediaAsync(host, media => media.FindGeneratedAsync(Ann, job, Cancellation));
        Assert.Equal([(0, null), (1, 8L), (2, null)], found.Select(p => (p.Index, p.Seed)));
        Assert.Equal((named.Id, deleted.Id), (found[0].AssetId, found[2].AssetId));
        Assert.Empty(await WithMediaAsync(host, media => media.FindGeneratedAsync(NewId(), job, Cancellation)));

        var end = Ended(job, named.Id);
        await host.DeliverAsync<GenerationFinishedHandler, GenerationFinished>(end);
        await host.DeliverAsync<GenerationFinishedHandler, GenerationFinished>(end);
        await host.DeliverAsync<GenerationFinishedHandler, GenerationFinished>(Ended(job, named.Id));
        Assert.Equal(
            new[] { other.Id, named.Id }.Order(),
            (await host.QueryAsync(context => context.Assets.Select(a => a.Id).ToListAsync(Cancellation))).Order());
        Assert.Equal(other.Bytes + named.Bytes, await host.BytesOfAsync(Ann));
        Assert.Equal(2, host.Files().Count);
        Assert.Equal(ErrorKind.NotFound, (await StoreAsync(host, Pictures.Png(), new(job, 1, conversation, "too late"))).Error?.Kind);
        Assert.Equal(named.Id, (await StoreAsync(host, Pictures.Png(), new(job, 0, conversation, "once more"))).Value.Id);
        Assert.Equal(2, host.Files().Count);

        // What writes brings no pictures, and is not remembered.
        await host.DeliverAsync<GenerationFinishedHandler, GenerationFinished>(Ended(NewId()) with { Pictures = null });
        Assert.Equal([job], await host.QueryAsync(context => context.EndedJobs.Select(j => j.Id).ToListAsync(Cancellation)));
        await host.SweepAsync(TimeSpan.FromDays(31));
        Assert.Equal(0, await host.QueryAsync(context => context.EndedJobs.CountAsync(Cancellation)));
        Assert.Equal(2, await host.CountAssetsAsync());
    }

    [Fact]
    public async Task A_picture_for_a_deleted_user_is_not_stored()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        await StoreAsync(host, Pictures.Png(700, 500), new(NewId(), 0, null, ""));
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(new UserDeleted(NewId(), Ann));
        Assert.Equal(ErrorKind.Conflict, (await StoreAsync(host, Pictures.Png(), new(NewId(), 0, null, ""))).Error?.Kind);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    private static GenerationFinished Ended(Guid job, params Guid[] pictures) => new(
        NewId(), job, NewId(), NewId(), "image", GenerationStatus.Interrupted, "", "", "demo-images/demo", "", "", 0, 0, 0, pictures);

    private static Task<Result<AssetInfo>> StoreAsync(MediaHost host, byte[] content, ImageProvenance provenance) =>
        WithMediaAsync(host, async media =>
        {
            using var stream = new MemoryStream(content);
            return await media.StoreGeneratedAsync(Ann, stream, provenance, Cancellation);
        });

    private static async Task<T> WithMediaAsync<T>(MediaHost host, Func<IMediaApi, Task<T>> ask)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return await ask(scope.ServiceProvider.GetRequiredService<IMediaApi>());
    }

    private static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
