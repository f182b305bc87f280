using System.Net;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Contracts.Identity;
using SevenX42.Contracts.Media;
using SevenX42.Messaging;
using SevenX42.Modules.Media.Features.Assets;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Infrastructure.Blobs;
using SevenX42.Modules.Media.Integration;
using SevenX42.Modules.Media.Tests.Images;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

public sealed class DeletionTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Bob = new("0197aaaa-0000-7000-8000-000000000002");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_deleted_file_is_gone_with_its_content()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location;
        Assert.Equal(HttpStatusCode.NoContent, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(path, Cancellation)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await client.DeleteAsync(path, Cancellation)).StatusCode);
        Assert.Equal(0, await host.BytesOfAsync(Ann));
        await host.PurgeAsync();
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_form_without_scripts_deletes_and_leads_back()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        var path = (await client.UploadAsync(Uploads.NewText())).Headers.Location!.OriginalString;
        using var request = new HttpRequestMessage(HttpMethod.Post, path + "/delete");
        request.Headers.Accept.ParseAdd("text/html");
        using var handler = new HttpClientHandler { AllowAutoRedirect = false };
        using var browser = new HttpClient(handler) { BaseAddress = client.BaseAddress };
        browser.DefaultRequestHeaders.Add("X-Test-User", Ann.ToString());
        using var response = await browser.SendAsync(request, Cancellation);
        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        Assert.Equal("/images?deleted=" + path.Split('/')[^1], response.Headers.Location?.OriginalString);
        await host.PurgeAsync();
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_content_stays_until_the_last_of_its_owners_deletes_it()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var ann = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        var content = Uploads.NewText();
        var anns = (await ann.UploadAsync(content)).Headers.Location;
        var bobs = (await bob.UploadAsync(content)).Headers.Location;
        Assert.Single(host.Files());
        await ann.DeleteAsync(anns, Cancellation);
        await host.PurgeAsync();
        Assert.Equal(content, await bob.GetByteArrayAsync(bobs, Cancellation));
        await bob.DeleteAsync(bobs, Cancellation);
        Assert.Single(host.Files());
        await host.PurgeAsync();
        Assert.Empty(host.Files());
    }

    [Fact]
    public async Task A_content_is_never_deleted_under_an_upload_of_the_same()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var ann = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        for (var round = 0; round < 25; round++)
        {
            var content = Uploads.NewText();
            var anns = (await ann.UploadAsync(content)).Headers.Location;
            await ann.DeleteAsync(anns, Cancellation);
            var deletion = host.PurgeAsync();
            var upload = bob.UploadAsync(content);
            var sweep = host.Services.GetRequiredService<BlobSweeper>().SweepAsync(Cancellation);
            await Task.WhenAll(deletion, upload, sweep);
            Assert.Equal(content, await bob.GetByteArrayAsync((await upload).Headers.Location, Cancellation));
        }
    }

    [Fact]
    public async Task Two_deletions_at_the_same_time_give_the_bytes_back_once()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        await client.UploadAsync(Uploads.NewText(100));
        for (var round = 0; round < 10; round++)
        {
            var path = (await client.UploadAsync(Uploads.NewText(100))).Headers.Location;
            var responses = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => client.DeleteAsync(path, Cancellation)));
            Assert.Equal(1, responses.Count(r => r.StatusCode == HttpStatusCode.NoContent));
            Assert.Equal(3, responses.Count(r => r.StatusCode == HttpStatusCode.NotFound));
            Assert.Equal(100, await host.BytesOfAsync(Ann));
        }
    }

    [Fact]
    public async Task A_deleted_users_files_are_deleted_and_nobody_elses()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var ann = host.ClientOf(Ann);
        using var bob = host.ClientOf(Bob);
        var shared = Uploads.NewText();
        await ann.UploadAsync(shared);
        await ann.UploadAsync(Uploads.NewText());
        var bobs = (await bob.UploadAsync(shared)).Headers.Location;
        // Through an outbox, as it comes from the module that knows users.
        await host.QueryAsync(context =>
        {
            context.Raise(new UserDeleted(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Ann));
            return context.SaveChangesAsync(Cancellation);
        });
        await Eventually.TrueAsync(async () => await host.CountAssetsAsync() == 1 && host.Files().Count == 1);
        Assert.Equal(shared, await bob.GetByteArrayAsync(bobs, Cancellation));
        Assert.Equal(0, await host.BytesOfAsync(Ann));
    }

    [Fact]
    public async Task An_upload_that_outlasts_its_user_is_not_stored()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        using var content = new PausedContent(Uploads.NewText());
        var upload = client.PostAsync("/media/assets", content, Cancellation);
        await Eventually.TrueAsync(() => host.Files().Count == 1);
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(new UserDeleted(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Ann));
        content.GoOn();
        Assert.False((await upload).IsSuccessStatusCode);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task A_deletion_that_is_delivered_twice_does_no_harm()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        await client.UploadAsync(Uploads.NewText());
        var deleted = new UserDeleted(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Ann);
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(deleted);
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(deleted);
        await UploadAssetTests.AssertNothingIsLeftAsync(host);
    }

    [Fact]
    public async Task The_sweeper_deletes_what_nobody_refers_to_and_nothing_else()
    {
        await using var host = await MediaHost.StartAsync(postgres, ("Media:SweepAge", "01:00:00"));
        using var client = host.ClientOf(Ann);
        var kept = Uploads.NewText();
        var path = (await client.UploadAsync(kept)).Headers.Location;
        await client.UploadAsync(Uploads.NewText());
        await client.UploadAsync(Uploads.NewText());
        var keptFile = host.Files().Single(f => File.ReadAllBytes(Path.Combine(host.Directory, f)).AsSpan().SequenceEqual(kept));
        var orphans = host.Files().Where(f => f != keptFile).ToList();
        // As after a crash between the commit that deleted the rows and the deletion of their files.
        var keptId = Guid.Parse(path!.OriginalString.Split('/')[^1]);
        await host.QueryAsync(context => context.Assets.Where(a => a.Id != keptId).ExecuteDeleteAsync(Cancellation));
        await File.WriteAllTextAsync(Path.Combine(host.Directory, "incoming", "died.part"), "half", Cancellation);
        foreach (var file in host.Files().Where(f => f != orphans[1]))
            File.SetLastWriteTimeUtc(Path.Combine(host.Directory, file), TimeProvider.System.GetUtcNow().AddHours(-2).UtcDateTime);

        await host.Services.GetRequiredService<BlobSweeper>().SweepAsync(Cancellation);

        Assert.Equal(new[] { keptFile, orphans[1] }.Order(), host.Files());
        Assert.Equal(kept, await client.GetByteArrayAsync(path, Cancellation));
    }

    [Fact]
    public async Task Workers_clean_up_what_came_in_and_leave_the_store_to_those_that_serve()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        await client.UploadAsync(Uploads.NewText());
        var orphan = host.Files().Single();
        await host.QueryAsync(context => context.Assets.ExecuteDeleteAsync(Cancellation));
        await File.WriteAllTextAsync(Path.Combine(host.Directory, "incoming", "died.part"), "half", Cancellation);
        foreach (var file in host.Files())
            File.SetLastWriteTimeUtc(Path.Combine(host.Directory, file), TimeProvider.System.GetUtcNow().AddHours(-9).UtcDateTime);
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var worker = ActivatorUtilities.CreateInstance<BlobSweeper>(host.Services, new AppRoleContext(AppRole.Worker), time);
        await worker.StartAsync(Cancellation);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromHours(1));
            return host.Files().SequenceEqual([orphan]);
        });
        await worker.StopAsync(Cancellation);
        using var web = ActivatorUtilities.CreateInstance<BlobSweeper>(host.Services, new AppRoleContext(AppRole.Web), time);
        await web.StartAsync(Cancellation);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromHours(1));
            return host.Files().Count == 0;
        });
        await web.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_drawing_that_can_not_be_asked_for_is_said_and_keeps_no_orphan_from_being_swept()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        using var client = host.ClientOf(Ann);
        await client.UploadAsync(Uploads.NewText());
        await host.QueryAsync(context => context.Assets.ExecuteDeleteAsync(Cancellation));
        var orphan = host.Files().Single();
        await using (var scope = host.Services.CreateAsyncScope())
        {
            using var content = new MemoryStream(Pictures.Png());
            Assert.True((await scope.ServiceProvider.GetRequiredService<IMediaApi>().StoreGeneratedAsync(
                Ann, content, new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), 0, null, "a boat"), Cancellation)).IsSuccess);
        }

        foreach (var file in host.Files())
            File.SetLastWriteTimeUtc(Path.Combine(host.Directory, file), TimeProvider.System.GetUtcNow().AddHours(-9).UtcDateTime);
        host.Drawings.Ended = _ => throw new InvalidOperationException("of a newer version");
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var lines = new LogLines();
        using var logs = new LoggerFactory([lines]);
        using var sweeper = ActivatorUtilities.CreateInstance<BlobSweeper>(host.Services, new AppRoleContext(AppRole.Web), time, logs.CreateLogger<BlobSweeper>());
        await sweeper.StartAsync(Cancellation);
        await Eventually.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromHours(1));
            return !host.Files().Contains(orphan);
        });
        await sweeper.StopAsync(Cancellation);
        var warnings = lines.All.Where(l => l.Level == LogLevel.Warning).ToList();
        Assert.NotEmpty(warnings);
        Assert.All(warnings, w => Assert.Contains("of a newer version", w.Text, StringComparison.Ordinal));
        Assert.DoesNotContain(warnings, w => w.Text.Contains("The blob store could not be swept", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_was_deleted_is_purged_though_what_was_kept_can_not_be_let_go()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var old = TimeProvider.System.GetUtcNow() - TimeSpan.FromDays(9);
        await host.QueryAsync(async context =>
        {
            context.Add(GalleryTests.Row(Ann, 1, deletedAt: old));
            context.Add(GalleryTests.Row(Ann, 2));
            await context.SaveChangesAsync(Cancellation);
            await context.Assets.Where(a => a.DeletedAt == null).ExecuteUpdateAsync(set => set.SetProperty(a => a.UnconfirmedSince, old), Cancellation);
            return await context.Database.ExecuteSqlAsync(
                $"""
                CREATE FUNCTION media.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$not now$$; END';
                CREATE TRIGGER refuse BEFORE UPDATE ON media.assets FOR EACH ROW EXECUTE FUNCTION media.refuse()
                """,
                Cancellation);
        });
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        using var purge = ActivatorUtilities.CreateInstance<AssetPurge>(host.Services, time);
        await purge.StartAsync(Cancellation);
        await Eventually.TrueAsync(async () =>
        {
            time.Advance(TimeSpan.FromMinutes(1));
            return await host.CountAssetsAsync() == 1;
        });
        await purge.StopAsync(Cancellation);
    }

    [Fact]
    public async Task What_was_kept_is_let_go_in_batches_that_wait_for_nobody()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var rows = Enumerable.Range(0, 150).Select(i => GalleryTests.Row(Ann, i)).ToList();
        var locked = rows[0].Id;
        await host.QueryAsync(async context =>
        {
            context.AddRange(rows);
            await context.SaveChangesAsync(Cancellation);
            return await context.Assets.ExecuteUpdateAsync(
                set => set.SetProperty(a => a.UnconfirmedSince, TimeProvider.System.GetUtcNow()).SetProperty(a => a.ConversationId, Bob), Cancellation);
        });
        await host.QueryAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync(Cancellation);
            await context.Assets.Where(a => a.Id == locked).ExecuteUpdateAsync(set => set.SetProperty(a => a.FileName, "b.png"), Cancellation);
            await host.SweepAsync(AssetPurge.Confirmation + TimeSpan.FromHours(1));
            Assert.Equal((50, 50), await LeftAsync());
            await host.SweepAsync(AssetPurge.Confirmation + TimeSpan.FromHours(1));
            Assert.Equal((1, 1), await LeftAsync());
            return 0;
        });
        await host.SweepAsync(AssetPurge.Confirmation + TimeSpan.FromHours(1));
        Assert.Equal((0, 0), await LeftAsync());

        async Task<(int Unconfirmed, int Conversation)> LeftAsync() => (
            await host.QueryAsync(context => context.Assets.CountAsync(a => a.UnconfirmedSince != null, Cancellation)),
            await host.QueryAsync(context => context.Assets.CountAsync(a => a.ConversationId != null, Cancellation)));
    }
}
