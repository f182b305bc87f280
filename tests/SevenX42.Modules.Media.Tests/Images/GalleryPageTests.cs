using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using SevenX42.Contracts.Media;
using SevenX42.Modules.Media.Domain;
using SevenX42.Modules.Media.Infrastructure;
using SevenX42.Testing;

namespace SevenX42.Modules.Media.Tests.Images;

/// <summary>The gallery's pages as browsers get them from the real Host, with scripts and without. Every test has a person of its own.</summary>
public sealed class GalleryPageTests(GalleryPageTests.App app) : IClassFixture<GalleryPageTests.App>
{
    private readonly Guid _ann = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_and_its_fragment_show_the_newest_pictures_and_keep_their_room_until_they_are_loaded()
    {
        await AddAsync(Enumerable.Range(0, 41).Select(i => GalleryTests.Row(_ann, i, prompt: i == 40 ? new string('x', 199) + "😀" : "a fox")));

        var page = await PageAsync("/images");
        var fragment = await FragmentAsync("/images");

        Assert.Equal("page", page.QuerySelector("#sidebar a[href='/images']")?.GetAttribute("aria-current"));
        Assert.Equal("Images · 7x42", page.Title);
        Assert.Equal("Images · 7x42", fragment.Title);
        Assert.Null(fragment.QuerySelector("#sidebar"));
        Assert.Equal(Ids(page), Ids(fragment));
        var pictures = page.QuerySelectorAll("#gallery li img[srcset]");
        Assert.Equal(40, pictures.Length);
        Assert.All(pictures, p => Assert.Equal(("1", "1", "lazy"), (p.GetAttribute("width"), p.GetAttribute("height"), p.GetAttribute("loading"))));
        Assert.All(pictures, p => Assert.StartsWith("data:image/webp;base64,", p.PreviousElementSibling?.GetAttribute("src"), StringComparison.Ordinal));
        Assert.Equal(new string('x', 199) + "…", pictures[0].GetAttribute("alt"));
        Assert.Equal("a fox", pictures[1].GetAttribute("alt"));
    }

    [Fact]
    public async Task Whoever_has_no_pictures_is_told_how_the_first_is_made()
    {
        using var nobody = app.Host.CreateClient();
        foreach (var page in new[] { await PageAsync("/images"), Parse(await nobody.GetStringAsync("/images", Cancellation)) })
        {
            Assert.Equal("Your pictures will be here", page.QuerySelector("#gallery h2")?.TextContent);
            Assert.Equal(["/studio", "/"], page.QuerySelectorAll("#gallery a").Select(a => a.GetAttribute("href")));
            Assert.Contains("/image", page.QuerySelector("#gallery code")?.TextContent, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_search_finds_prompts_and_names_and_stays_in_the_field_and_in_all_links()
    {
        await AddAsync([.. Enumerable.Range(0, 50).Select(i => GalleryTests.Row(_ann, i, prompt: $"a Fox & {i}")), GalleryTests.Row(_ann, 60, prompt: "a storm")]);

        var found = await PageAsync("/images?q=FOX+%26");
        var storm = await PageAsync("/images?q=sto");
        var nothing = await PageAsync("/images?q=whale");
        var signs = await PageAsync("/images?q=%26%26");
        var spaces = await PageAsync("/images?q=++");

        Assert.Equal(40, Ids(found).Count);
        Assert.Equal("FOX &", found.QuerySelector("main [name=q]")?.GetAttribute("value"));
        Assert.All(found.QuerySelectorAll("#gallery li a"), a => Assert.Contains("?q=FOX%20%26", a.GetAttribute("href"), StringComparison.Ordinal));
        Assert.Equal("One picture with “sto”", Said(storm));
        Assert.Equal("Nothing found for “whale”. Fewer words find more.", Said(nothing));
        Assert.Equal("Nothing found for “&&”. Fewer words find more.", Said(signs));
        Assert.Null(nothing.QuerySelector("#gallery h2"));
        Assert.Equal((40, ""), (Ids(spaces).Count, Said(spaces)));
    }

    [Fact]
    public async Task Going_on_by_the_links_shows_every_picture_once_while_new_ones_come_and_others_go()
    {
        var anns = Enumerable.Range(0, 95).Select(i => GalleryTests.Row(_ann, i)).ToList();
        await AddAsync(anns);
        var expected = anns.Select(a => $"image-{a.Id}").Reverse().ToList();

        foreach (var isScripted in new[] { true, false })
        {
            var part = await PageAsync("/images");
            var shown = Ids(part);
            for (var round = 0; part.QuerySelector("#more") is { } more; round++)
            {
                await AddAsync([GalleryTests.Row(_ann, 1_000 + round)]);
                // The second time, the one that the next part begins after is gone.
                if (round == 1)
                    await DeleteAsync(shown[^1], TimeProvider.System.GetUtcNow());
                part = isScripted ? await FragmentAsync(more.GetAttribute("hx-get")!) : await PageAsync(more.QuerySelector("a")!.GetAttribute("href")!);
                await DeleteAsync(shown[^1], at: null);
                shown.AddRange(Ids(part));
            }

            Assert.Equal(expected, shown);
            // Those that came meanwhile are not missed by whoever begins again.
            var added = DateTimeOffset.UnixEpoch.AddYears(56).AddSeconds(999);
            Assert.Equal(2, await app.QueryAsync(context => context.Assets.Where(a => a.OwnerId == _ann && a.CreatedAt > added).ExecuteDeleteAsync(Cancellation)));
        }

        Task DeleteAsync(string entry, DateTimeOffset? at)
        {
            var id = Guid.Parse(entry["image-".Length..]);
            return app.QueryAsync(context => context.Assets.Where(a => a.Id == id).ExecuteUpdateAsync(s => s.SetProperty(a => a.DeletedAt, at), Cancellation));
        }
    }

    [Fact]
    public async Task A_picture_tells_what_made_it_and_leads_on_within_its_search()
    {
        var conversation = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        var drawn = new ImageProvenance(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), 0, conversation, "a red fox & a hare", "rain", 42, "demo/one");
        var older = await StoreAsync(drawn with { JobId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Prompt = "an old fox" });
        await StoreAsync(drawn with { JobId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Prompt = "a whale" });
        var middle = await StoreAsync(drawn);
        await StoreAsync(drawn with { JobId = Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), Prompt = "a storm" });
        using var client = Client();
        var newer = Guid.Parse((await client.UploadAsync(Pictures.Png(), "fox in Rome.png")).Headers.Location!.OriginalString.Split('/')[^1]);

        var page = await PageAsync($"/images/{middle}?q=fox");
        var dialog = await FragmentAsync($"/images/{middle}?q=fox", "dialog#sheet");
        var upload = await PageAsync($"/images/{newer}?q=fox");

        Assert.NotNull(page.QuerySelector("#sidebar"));
        Assert.Equal("a red fox & a hare · 7x42", page.Title);
        foreach (var shown in new[] { page, dialog })
        {
            Assert.Equal("a red fox & a hare", shown.QuerySelector("[data-source]")?.TextContent);
            var facts = shown.QuerySelector("dl")!.TextContent;
            Assert.All(["rain", "42", "demo/one", "100 × 80"], fact => Assert.Contains(fact, facts, StringComparison.Ordinal));
            Assert.NotNull(shown.QuerySelector("a[href='/studio?prompt=a%20red%20fox%20%26%20a%20hare&negative=rain&seed=42&model=demo%2Fone&size=100x80']"));
            Assert.NotNull(shown.QuerySelector($"a[href='/c/{conversation}']"));
            Assert.NotNull(shown.QuerySelector($"a[href='/media/assets/{middle}'][download]"));
            Assert.Equal($"/images/{newer}?q=fox", shown.QuerySelector("#image-newer[aria-keyshortcuts=ArrowLeft]")?.GetAttribute("href"));
            Assert.Equal($"/images/{older}?q=fox", shown.QuerySelector("#image-older[aria-keyshortcuts=ArrowRight]")?.GetAttribute("href"));
        }

        Assert.Null(dialog.QuerySelector("#sidebar"));
        Assert.NotNull(dialog.QuerySelector("form[method=dialog]"));
        Assert.Null(page.QuerySelector("form[method=dialog]:has(#image-close)"));
        Assert.Equal("fox in Rome.png", upload.QuerySelector("h1")?.TextContent);
        Assert.Equal("true", upload.QuerySelector("#image-newer")?.GetAttribute("aria-disabled"));
        Assert.Empty(upload.QuerySelectorAll("a[href^='/studio?'], a[href^='/c/'], main [data-copy]"));
        // Among all pictures, and in a search that it is not found by.
        Assert.NotEqual($"/images/{older}", (await PageAsync($"/images/{middle}")).QuerySelector("#image-older")?.GetAttribute("href"));
        Assert.Equal($"/images/{older}?q=old", (await PageAsync($"/images/{middle}?q=old")).QuerySelector("#image-older")?.GetAttribute("href"));
    }

    [Fact]
    public async Task A_prompt_that_fits_into_no_address_is_copied_instead()
    {
        var row = GalleryTests.Row(_ann, 0, prompt: new string('ü', 2_000));
        await AddAsync([row]);

        var page = await PageAsync($"/images/{row.Id}");

        Assert.Empty(page.QuerySelectorAll("a[href^='/studio?']"));
        Assert.NotNull(page.QuerySelector("[data-copy=message]"));
    }

    [Fact]
    public async Task Pictures_of_others_deleted_ones_and_other_files_are_not_found_and_lead_nowhere()
    {
        var bob = Guid.CreateVersion7(TimeProvider.System.GetUtcNow());
        Asset[] hidden =
        [
            GalleryTests.Row(bob, 1),
            GalleryTests.Row(_ann, 2, AssetKind.File),
            GalleryTests.Row(_ann, 3, deletedAt: TimeProvider.System.GetUtcNow()),
        ];
        var own = GalleryTests.Row(_ann, 0);
        await AddAsync([.. hidden, own]);
        using var client = Client();

        foreach (var asset in hidden)
        {
            using var response = await client.GetAsync($"/images/{asset.Id}", Cancellation);
            Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        }

        Assert.Equal("true", (await PageAsync($"/images/{own.Id}")).QuerySelector("#image-newer")?.GetAttribute("aria-disabled"));
        Assert.Equal([$"image-{own.Id}"], Ids(await PageAsync("/images")));
    }

    [Fact]
    public async Task A_deleted_picture_leaves_its_place_and_the_undo_brings_it_back_there()
    {
        var id = await StoreAsync(new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), 0, null, "a fox"));
        var page = await FragmentAsync($"/images/{id}?q=fox", "dialog#sheet");
        var delete = page.QuerySelector("#image-delete")!.GetAttribute("hx-post")!;

        var deleted = Parse(await PostAsync(delete));
        Assert.Equal(($"image-{id}", true, "true"), Entry(deleted));
        Assert.Empty(Ids(await PageAsync("/images")));
        var undo = deleted.QuerySelector("form.toast")!.GetAttribute("hx-post")!;
        var restored = Parse(await PostAsync(undo));

        Assert.Equal(($"image-{id}", false, "true"), Entry(restored));
        Assert.Equal($"/images/{id}?q=fox", restored.QuerySelector("li a")?.GetAttribute("href"));
        Assert.Equal([$"image-{id}"], Ids(await PageAsync("/images")));

        static (string?, bool, string?) Entry(IParentNode answer)
        {
            var entry = answer.QuerySelector("li")!;
            return (entry.Id, entry.HasAttribute("hidden"), entry.GetAttribute("hx-swap-oob"));
        }
    }

    [Fact]
    public async Task Without_scripts_a_deletion_leads_to_the_gallery_and_its_undo_to_the_picture()
    {
        var id = await StoreAsync(new(Guid.CreateVersion7(TimeProvider.System.GetUtcNow()), 0, null, "a fox"));
        var delete = (await PageAsync($"/images/{id}?q=fox")).QuerySelector("#image-delete")!;
        Assert.Null(delete.GetAttribute("hx-post"));

        var gallery = await PageAsync(await RedirectAsync(delete.GetAttribute("action")!));
        var undo = gallery.QuerySelector("#gallery form.toast")!;
        Assert.Empty(Ids(gallery));
        Assert.Equal("fox", gallery.QuerySelector("main [name=q]")?.GetAttribute("value"));
        Assert.Null(undo.GetAttribute("hx-post"));
        var picture = await PageAsync(await RedirectAsync(undo.GetAttribute("action")!));

        Assert.Equal("a fox", picture.QuerySelector("[data-source]")?.TextContent);
    }

    [Fact]
    public async Task The_pages_take_as_many_commands_for_many_pictures_as_for_few_and_read_no_table_from_end_to_end()
    {
        var few = Enumerable.Range(0, 3).Select(i => GalleryTests.Row(_ann, i, prompt: "a fox")).ToList();
        await AddAsync(few);
        string[] pages = ["/images/grid", "/images/grid?q=fox", $"/images/{few[1].Id}", $"/images/{few[1].Id}?q=fox"];
        var before = await CountAsync(pages);
        // Enough of others that reading all of them is no shortcut.
        var now = TimeProvider.System.GetUtcNow();
        var ids = Enumerable.Range(1, 5000).Select(n => Guid.CreateVersion7(now.AddSeconds(-n))).ToArray();
        await app.QueryAsync(context => context.Database.ExecuteSqlAsync(
            $"""
            INSERT INTO media.assets (id, owner_id, kind, media_type, bytes, content_hash, file_name, width, height, preview, created_at, prompt, search)
            SELECT i.id, CASE WHEN n % 50 = 0 THEN {_ann} ELSE gen_random_uuid() END, kind, media_type, bytes, content_hash,
                file_name, width, height, preview, created_at, prompt, to_tsvector('simple', 'a fox ' || n)
            FROM media.assets a, unnest({ids}) WITH ORDINALITY i(id, n) WHERE a.id = {few[0].Id}
            """,
            Cancellation));
        await app.QueryAsync(context => context.Database.ExecuteSqlAsync($"ANALYZE media.assets", Cancellation));
        var scans = await ScansAsync();

        var after = await CountAsync(pages);

        Assert.Equal(before, after);
        Assert.Equal([1, 1, 3, 3], after);
        Assert.Equal(scans, await ScansAsync());

        async Task<int> ScansAsync() => await app.QueryAsync(async context =>
        {
            await context.Database.ExecuteSqlAsync($"SELECT pg_stat_force_next_flush()", Cancellation);
            return await context.Database
                .SqlQuery<int>($"SELECT seq_scan::int AS \"Value\" FROM pg_stat_user_tables WHERE schemaname = 'media' AND relname = 'assets'")
                .SingleAsync(Cancellation);
        });
    }

    private static IHtmlDocument Parse(string html) => new HtmlParser().ParseDocument(html);

    private static List<string> Ids(IParentNode page) => [.. page.QuerySelectorAll("li[id^='image-']:not([hidden])").Select(i => i.Id!)];

    private static string Said(IParentNode page) => page.QuerySelector("#gallery [role=status]")!.TextContent;

    private HttpClient Client(bool isBrowser = true)
    {
        var client = WholeChainTests.SignedIn(app.Host, _ann.ToString(), WholeChainTests.Tokens(app.Host, _ann.ToString()));
        if (isBrowser)
            client.DefaultRequestHeaders.Accept.ParseAdd("text/html");
        return client;
    }

    private async Task<IHtmlDocument> PageAsync(string path)
    {
        using var client = Client();
        return Parse(await client.GetStringAsync(path, Cancellation));
    }

    private async Task<IHtmlDocument> FragmentAsync(string path, string target = "main#main")
    {
        using var client = Client();
        client.DefaultRequestHeaders.Add("HX-Request", "true");
        client.DefaultRequestHeaders.Add("HX-Target", target);
        return Parse(await client.GetStringAsync(path, Cancellation));
    }

    private async Task<string> PostAsync(string path)
    {
        using var client = Client();
        client.DefaultRequestHeaders.Add("HX-Request", "true");
        using var response = await client.PostAsync(path, null, Cancellation);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsStringAsync(Cancellation);
    }

    private async Task<string> RedirectAsync(string path)
    {
        using var client = Client();
        using var response = await client.PostAsync(path, null, Cancellation);
        Assert.Equal(HttpStatusCode.SeeOther, response.StatusCode);
        return response.Headers.Location!.OriginalString;
    }

    private async Task<Guid> StoreAsync(ImageProvenance provenance)
    {
        await using var scope = app.Host.Services.CreateAsyncScope();
        using var content = new MemoryStream(Pictures.Png());
        var stored = await scope.ServiceProvider.GetRequiredService<IMediaApi>().StoreGeneratedAsync(_ann, content, provenance, Cancellation);
        Assert.True(stored.IsSuccess);
        return stored.Value.Id;
    }

    private Task<int> AddAsync(IEnumerable<Asset> assets) => app.QueryAsync(async context =>
    {
        context.AddRange(assets);
        await context.SaveChangesAsync(Cancellation);
        return await context.Database.ExecuteSqlAsync(
            $"UPDATE media.assets SET search = to_tsvector('simple', prompt) WHERE owner_id = {_ann} AND search IS NULL AND prompt IS NOT NULL", Cancellation);
    });

    /// <summary>How many commands about pictures each of the pages takes.</summary>
    private async Task<List<int>> CountAsync(string[] pages)
    {
        List<int> counts = [];
        foreach (var page in pages)
        {
            var commands = new ConcurrentQueue<string>();
            using var trace = new Activity("test").SetIdFormat(ActivityIdFormat.W3C).Start();
            using var listener = new ActivityListener
            {
                // The server's own, too, for it is what carries the request's trace on.
                ShouldListenTo = source => source.Name is "Npgsql" or "Microsoft.AspNetCore",
                Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
                ActivityStopped = activity =>
                {
                    if (activity.TraceId == trace.TraceId && (activity.GetTagItem("db.query.text") ?? activity.GetTagItem("db.statement")) is string text)
                        commands.Enqueue(text);
                },
            };
            ActivitySource.AddActivityListener(listener);
            await FragmentAsync(page, "dialog#sheet");
            counts.Add(commands.Count(c => c.Contains("media.assets", StringComparison.Ordinal)));
        }

        return counts;
    }

    /// <summary>The Host that the class asks.</summary>
    public sealed class App(PostgresServer postgres) : IAsyncLifetime
    {
        private AppHost? _host;

        public AppHost Host => _host!;

        public async ValueTask InitializeAsync() => _host = await WholeChainTests.StartAsync(await postgres.CreateDatabaseAsync());

        public async ValueTask DisposeAsync()
        {
            if (_host is not null)
                await _host.DisposeAsync();
        }

        internal async Task<T> QueryAsync<T>(Func<MediaDbContext, Task<T>> query)
        {
            await using var scope = Host.Services.CreateAsyncScope();
            return await query(scope.ServiceProvider.GetRequiredService<MediaDbContext>());
        }
    }
}
