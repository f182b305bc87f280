using MediatR;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Features.Images;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Images;

public sealed class GalleryTests(PostgresServer postgres)
{
    private static readonly Guid Ann = new("0197aaaa-0000-7000-8000-000000000001");
    private static readonly Guid Bob = new("0197aaaa-0000-7000-8000-000000000002");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task All_pictures_of_a_person_are_listed_once_the_newest_first_page_by_page()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var anns = Enumerable.Range(0, 95).Select(i => Row(Ann, i)).ToList();
        await host.QueryAsync(context =>
        {
            context.AddRange(anns);
            context.AddRange(Row(Bob, 7), Row(Ann, 8, AssetKind.File), Row(Ann, 9, deletedAt: TimeProvider.System.GetUtcNow()));
            return context.SaveChangesAsync(Cancellation);
        });
        List<Guid> listed = [];
        var pages = 0;
        Guid? after = null;
        do
        {
            var page = await ListAsync(host, Ann, "", after);
            listed.AddRange(page.Images.Select(i => i.Asset.Id));
            after = page.After;
            pages++;
        }
        while (after is not null);
        Assert.Equal(anns.Select(a => a.Id).Reverse(), listed);
        Assert.Equal(3, pages);
    }

    [Fact]
    public async Task What_is_stored_or_deleted_between_two_pages_moves_nothing()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        var anns = Enumerable.Range(0, 60).Select(i => Row(Ann, i)).ToList();
        await AddAsync(host, [.. anns]);
        var first = await ListAsync(host, Ann, "");
        await AddAsync(host, Row(Ann, 100));
        var last = first.Images[^1].Asset.Id;
        await host.QueryAsync(context => context.Assets.Where(a => a.Id == last).ExecuteDeleteAsync(Cancellation));
        var second = await ListAsync(host, Ann, "", first.After);
        Assert.Equal(anns.Take(20).Reverse().Select(a => a.Id), second.Images.Select(i => i.Asset.Id));

        // Asked for again as far as it is shown, it is all there, and what is new.
        var again = await ListAsync(host, Ann, "", to: second.Images[^1].Asset.Id);
        Assert.Equal((60, (Guid?)null), (again.Images.Count, again.After));
        again = await ListAsync(host, Ann, "", to: second.Images[^2].Asset.Id);
        Assert.Equal((59, (Guid?)second.Images[^2].Asset.Id), (again.Images.Count, again.After));
    }

    [Fact]
    public async Task A_picture_is_found_by_the_words_of_its_prompt_or_name()
    {
        (string Query, string Found)[] searches =
        [
            ("fox", "A red FOX, at night|fox/hunt.final"),
            ("Fox nig", "A red FOX, at night"),
            ("night fox", "A red FOX, at night"),
            ("hunt final", "fox/hunt.final"),
            ("hunt.fin", "fox/hunt.final"),
            ("grüße", "Grüße 北京 3d"),
            ("北", "Grüße 北京 3d"),
            ("3d", "Grüße 北京 3d"),
            ("foxes", ""),
            ("' & | ! <-> :* \\", ""),
            ("fox'", "A red FOX, at night|fox/hunt.final"),
            ("holiday", "holiday in Rome.png"),
        ];
        await using var host = await MediaHost.StartAsync(postgres);
        await StoreAsync(host, Ann, "A red FOX, at night");
        await StoreAsync(host, Ann, "fox/hunt.final");
        await StoreAsync(host, Ann, "Grüße 北京 3d");
        await StoreAsync(host, Bob, "a fox at night");
        using var client = host.ClientOf(Ann);
        (await client.UploadAsync(Pictures.Png(), "holiday in Rome.png")).EnsureSuccessStatusCode();
        foreach (var (query, expected) in searches)
        {
            var found = (await ListAsync(host, Ann, query)).Images.Select(i => i.Prompt ?? i.FileName).Order(StringComparer.Ordinal);
            Assert.Equal((query, expected), (query, string.Join('|', found)));
        }
    }

    [Fact]
    public async Task A_search_reads_one_persons_words_in_the_index()
    {
        await using var host = await MediaHost.StartAsync(postgres);
        await host.QueryAsync(async context =>
        {
            await using var transaction = await context.Database.BeginTransactionAsync(Cancellation);
            // In an empty table any index is as good as another.
            await context.Database.ExecuteSqlAsync($"SET LOCAL enable_seqscan = off; DROP INDEX media.ix_assets_owner_id", Cancellation);
            var plan = await context.Database.SqlQueryRaw<string>(
                "EXPLAIN SELECT * FROM media.assets WHERE owner_id = '0197aaaa-0000-7000-8000-000000000001' AND search @@ to_tsquery('simple', '''fox'':*')").ToListAsync(Cancellation);
            Assert.Contains(plan, line => line.Contains("Bitmap Index Scan on ix_assets_search", StringComparison.Ordinal));
            Assert.Contains(plan, line => line.Contains("Index Cond: ((owner_id = ", StringComparison.Ordinal) && line.Contains("@@", StringComparison.Ordinal));
            return 0;
        });
    }

    private static async Task<GalleryVm> ListAsync(MediaHost host, Guid owner, string query, Guid? after = null, Guid? to = null)
    {
        await using var scope = host.Services.CreateAsyncScope();
        return (await scope.ServiceProvider.GetRequiredService<ISender>().Send(new ListImages(owner, query, after, to), Cancellation)).Value;
    }

    private static async Task StoreAsync(MediaHost host, Guid owner, string prompt)
    {
        await using var scope = host.Services.CreateAsyncScope();
        using var content = new MemoryStream(Pictures.Png());
        var stored = await scope.ServiceProvider.GetRequiredService<IMediaApi>()
            .StoreGeneratedAsync(owner, content, new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), 0, null, prompt), Cancellation);
        Assert.True(stored.IsSuccess);
    }

    private static Task<int> AddAsync(MediaHost host, params Asset[] assets) => host.QueryAsync(context =>
    {
        context.AddRange(assets);
        return context.SaveChangesAsync(Cancellation);
    });

    /// <summary>A picture as it is stored, without a content.</summary>
    /// <param name="owner">Whose.</param>
    /// <param name="second">When: greater is newer.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="deletedAt">When it was deleted.</param>
    /// <param name="prompt">What it was asked for with.</param>
    internal static Asset Row(
        Guid owner, int second, AssetKind kind = AssetKind.Image, DateTimeOffset? deletedAt = null, string? prompt = null)
    {
        var at = DateTimeOffset.UnixEpoch.AddYears(56).AddSeconds(second);
        return new Asset
        {
            Id = Guid.CreateVersion7(at),
            OwnerId = owner,
            Kind = kind,
            MediaType = "image/png",
            Bytes = 1,
            ContentHash = new string('0', 64),
            FileName = "a.png",
            Width = 1,
            Height = 1,
            Preview = [1],
            Prompt = prompt,
            CreatedAt = at,
            DeletedAt = deletedAt,
        };
    }
}
