using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Chat;
using SevenX42.Contracts.Identity;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Modules.Media.Integration;
using SevenX42.Modules.Media.Tests.Images;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests;

/// <summary>What the store holds is what the database refers to, whichever way things go.</summary>
public sealed class OrphanTests(PostgresServer postgres)
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nothing_that_ends_leaves_a_blob_a_size_or_a_row_behind()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        Guid[] people = [NewId(), NewId()];
        Guid[] conversations = [NewId(), NewId()];
        // The same for both, and with the same smaller sizes.
        byte[][] contents = [Pictures.Jpeg(700, 500), Pictures.Png(400, 300), Uploads.NewText(), Pictures.Jpeg(700, 400)];
        foreach (var (person, conversation) in people.Zip(conversations))
        {
            using var client = host.ClientOf(person);
            List<string> paths = [];
            foreach (var content in contents)
                paths.Add((await client.UploadAsync(content)).Headers.Location!.OriginalString);
            foreach (var prompt in (string[])["one", "two"])
                await StoreAsync(host, person, conversation, contents[prompt == "one" ? 0 : 1], prompt);
            await client.DeleteAsync(paths[3], Cancellation);
        }

        var all = await AssertNoOrphansAsync(host);
        await host.PurgeAsync();
        var purged = await AssertNoOrphansAsync(host);
        Assert.Equal(all - 3, purged);

        await host.DeliverAsync<ConversationDeletedHandler, ConversationDeleted>(new(NewId(), conversations[0], people[0]));
        Assert.Equal(purged, await AssertNoOrphansAsync(host));
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(new(NewId(), people[0]));
        Assert.Equal(purged, await AssertNoOrphansAsync(host));
        await host.DeliverAsync<UserDeletedHandler, UserDeleted>(new(NewId(), people[1]));
        Assert.Equal(0, await AssertNoOrphansAsync(host));
        Assert.Equal(0, await host.CountAssetsAsync());
        Assert.Equal(0, await host.QueryAsync(context => context.Variants.CountAsync(Cancellation)));
        Assert.Equal(0, await host.QueryAsync(context => context.Set<Owner>().SumAsync(o => o.Bytes, Cancellation)));
    }

    [Fact]
    public async Task Pictures_of_a_job_whose_end_was_missed_go_when_it_is_asked_for()
    {
        var database = await postgres.CreateDatabaseAsync();
        var clock = new ForwardClock();
        await using var app = await AppHost.StartAsync(
            database,
            [new("Generation:DemoStepsPerSecond", "500"), new("Media:SweepInterval", "00:00:01"), new("Media:SweepAge", "01:00:00")],
            services => services.AddSingleton<TimeProvider>(clock));
        using var browser = new ChatBrowser(app);
        await browser.FinishedAsync(await browser.BeginAsync("/image a boat"));
        await Eventually.TrueAsync(async () => await WithAsync(context => context.EndedJobs.AnyAsync(Cancellation)));
        var named = await WithAsync(context => context.Assets.SingleAsync(Cancellation));
        var (charged, blobs) = (await ChargedAsync(), await BlobsAsync());

        // As a version without the handler leaves it; the second picture is one that its worker did not live to name.
        await WithAsync(context => context.EndedJobs.ExecuteDeleteAsync(Cancellation));
        await using (var scope = app.Services.CreateAsyncScope())
        {
            using var content = new MemoryStream(Pictures.Png(400, 300));
            var stored = await scope.ServiceProvider.GetRequiredService<IMediaApi>()
                .StoreGeneratedAsync(named.OwnerId, content, new(named.JobId!.Value, 1, named.ConversationId, "a boat"), Cancellation);
            Assert.True(stored.IsSuccess);
        }

        Assert.NotEqual(charged, await ChargedAsync());
        await SweepAsync(named.CreatedAt);
        Assert.Equal(2, await WithAsync(context => context.Assets.CountAsync(Cancellation)));

        // Once they are old enough nobody has to ask.
        clock.Forward(TimeSpan.FromHours(2));
        await Eventually.TrueAsync(async () => await WithAsync(context => context.EndedJobs.AnyAsync(Cancellation)));
        Assert.Equal([named.Id], await WithAsync(context => context.Assets.Select(a => a.Id).ToListAsync(Cancellation)));
        Assert.Equal(charged, await ChargedAsync());
        Assert.Equal([named.JobId!.Value], await WithAsync(context => context.EndedJobs.Select(j => j.Id).ToListAsync(Cancellation)));
        await Eventually.TrueAsync(async () => blobs.SequenceEqual(await BlobsAsync()));

        async Task SweepAsync(DateTimeOffset storedBefore)
        {
            await using var scope = app.Services.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<LostPictures>().SweepAsync(storedBefore, Cancellation);
        }

        Task<long> ChargedAsync() => WithAsync(context => context.Set<Owner>().SumAsync(o => o.Bytes, Cancellation));

        async Task<List<string>> BlobsAsync() =>
            await app.Services.GetRequiredService<IBlobStore>().ListAsync(DateTimeOffset.MaxValue, Cancellation).Order().ToListAsync(Cancellation);

        async Task<T> WithAsync<T>(Func<MediaDbContext, Task<T>> query)
        {
            await using var scope = app.Services.CreateAsyncScope();
            return await query(scope.ServiceProvider.GetRequiredService<MediaDbContext>());
        }
    }

    [Fact]
    public async Task Whoever_looks_for_lost_pictures_does_not_read_what_people_have_sent()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var now = TimeProvider.System.GetUtcNow();
        var job = Guid.CreateVersion7(now.AddHours(-2));
        List<Guid> asked = [];
        host.Drawings.Ended = ids =>
        {
            asked.AddRange(ids);
            return new Dictionary<Guid, IReadOnlyList<Guid>>();
        };
        await host.QueryAsync(async context =>
        {
            context.Add(GalleryTests.Row(NewId(), 1, prompt: "a boat"));
            await context.SaveChangesAsync(Cancellation);
            // The ids of sendings are hashes.
            return await context.Database.ExecuteSqlAsync(
                $"""
                INSERT INTO media.assets (id, owner_id, kind, media_type, bytes, content_hash, file_name, width, height, preview, created_at, job_id, job_index)
                SELECT gen_random_uuid(), owner_id, kind, media_type, bytes, content_hash, file_name, width, height, preview, created_at, gen_random_uuid(), 0
                FROM media.assets, generate_series(1, 5000);
                UPDATE media.assets SET job_id = {job}, job_index = 0 WHERE prompt IS NOT NULL;
                ANALYZE media.assets
                """,
                Cancellation);
        });

        await using var scope = host.Services.CreateAsyncScope();
        var context = scope.ServiceProvider.GetRequiredService<MediaDbContext>();
        await using var transaction = await context.Database.BeginTransactionAsync(Cancellation);
        var before = await ReadAsync();
        await scope.ServiceProvider.GetRequiredService<LostPictures>().SweepAsync(now, Cancellation);

        Assert.Equal([job], asked);
        Assert.InRange(await ReadAsync() - before, 1, 20);

        Task<long> ReadAsync() => context.Database.SqlQuery<long>(
            $"SELECT seq_tup_read + idx_tup_fetch AS \"Value\" FROM pg_stat_xact_user_tables WHERE schemaname = 'media' AND relname = 'assets'").SingleAsync(Cancellation);
    }

    /// <summary>Compares the store with the database.</summary>
    /// <returns>How many blobs there are.</returns>
    private static async Task<int> AssertNoOrphansAsync(MediaHost host)
    {
        var stored = await host.Services.GetRequiredService<IBlobStore>().ListAsync(DateTimeOffset.MaxValue, Cancellation).ToListAsync(Cancellation);
        var referenced = await host.QueryAsync(context => context.ReadReferencedAsync(stored, Cancellation));
        var needed = await host.QueryAsync(async context =>
            (List<string>)[.. await context.Assets.Select(a => a.ContentHash).ToListAsync(Cancellation), .. await context.Variants.Select(v => v.ContentHash).ToListAsync(Cancellation)]);
        Assert.Equal(stored.Order(), referenced.Order());
        Assert.Equal(needed.Distinct().Order(), stored.Order());
        Assert.Equal(stored.Count, host.Files().Count);
        return stored.Count;
    }

    private static async Task StoreAsync(MediaHost host, Guid owner, Guid conversation, byte[] content, string prompt)
    {
        await using var scope = host.Services.CreateAsyncScope();
        using var stream = new MemoryStream(content);
        var stored = await scope.ServiceProvider.GetRequiredService<IMediaApi>()
            .StoreGeneratedAsync(owner, stream, new(NewId(), 0, conversation, prompt), Cancellation);
        Assert.True(stored.IsSuccess);
    }

    private static Guid NewId() => Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
}
