using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;
using Npgsql;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>A person looks through their pictures: with the keyboard, on a phone, without scripts.</summary>
public sealed partial class GalleryTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    private static readonly byte[] Png = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==");

    [Fact]
    public async Task The_keyboard_goes_from_picture_to_picture_past_what_is_loaded_and_back_to_the_last_it_saw()
    {
        await using var person = await ArriveAsync(60);
        await person.Page.RouteAsync("**/images/grid?*", route => route.AbortAsync());
        await VisitAsync(person, "/images");
        await Expect(Thumbnails(person)).ToHaveCountAsync(40);
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        var dialog = person.Page.GetByRole(AriaRole.Dialog);
        var prompt = dialog.Locator("[data-source]");

        await Thumbnail(person, 39).PressAsync("Enter");
        await Expect(prompt).ToHaveTextAsync("picture 39");
        await Expect(person.Button("Close")).ToBeFocusedAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.Page.Keyboard.PressAsync("ArrowLeft");
        await Expect(prompt).ToHaveTextAsync("picture 38");
        await person.Page.Keyboard.PressAsync("Alt+ArrowRight");
        await person.Page.UnrouteAllAsync();
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(prompt).ToHaveTextAsync("picture 39");
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(prompt).ToHaveTextAsync("picture 40");
        await Expect(Thumbnails(person)).ToHaveCountAsync(60);
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(prompt).ToHaveTextAsync("picture 41");
        await person.Page.Keyboard.PressAsync("Escape");
        await Expect(dialog).ToBeHiddenAsync();
        await Expect(Thumbnail(person, 41)).ToBeFocusedAsync();
        await Expect(Thumbnail(person, 41)).ToBeInViewportAsync();

        // At the end the focus stays where it is, and further is nowhere.
        await Thumbnail(person, 58).PressAsync("Enter");
        await Expect(prompt).ToHaveTextAsync("picture 58");
        await dialog.GetByRole(AriaRole.Link, new() { Name = "Older", Exact = true }).PressAsync("Enter");
        await Expect(prompt).ToHaveTextAsync("picture 59");
        await Expect(dialog.Locator("#image-older[aria-disabled]")).ToBeFocusedAsync();
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await person.Button("Close").ClickAsync();
        await Expect(Thumbnail(person, 59)).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Whoever_steps_on_the_moment_that_a_picture_is_there_stays_in_the_dialog()
    {
        await using var person = await ArriveAsync(5);
        await VisitAsync(person, "/images");
        await Thumbnail(person, 1).PressAsync("Enter");
        var dialog = person.Page.GetByRole(AriaRole.Dialog);
        await Expect(dialog.Locator("[data-source]")).ToHaveTextAsync("picture 1");
        await person.Page.EvaluateAsync(
            """
            () => new MutationObserver((_, it) => {
              it.disconnect();
              document.querySelector("#image-older").click();
            }).observe(document.querySelector("#sheet"), { childList: true })
            """);

        await person.Page.Keyboard.PressAsync("ArrowRight");

        await Expect(dialog.Locator("[data-source]")).ToHaveTextAsync("picture 3");
        await Expect(Thumbnails(person)).ToHaveCountAsync(5);
    }

    [Fact]
    public async Task A_deleted_picture_vanishes_at_once_and_the_undo_brings_it_back_to_its_place()
    {
        await using var person = await ArriveAsync(3);
        await VisitAsync(person, "/images");
        var order = await Thumbnails(person).EvaluateAllAsync<string[]>("all => all.map(it => it.id)");

        // What goes wrong is said where it is seen.
        var dialog = person.Page.GetByRole(AriaRole.Dialog);
        await person.Page.RouteAsync("**/delete", route => route.FulfillAsync(
            new() { Status = 503, ContentType = "text/html", Body = "<div class=\"notice\" role=\"alert\"><p>Try again later.</p></div>" }));
        await Thumbnail(person, 1).PressAsync("Enter");
        await person.Button("Delete").PressAsync("Enter");
        await Expect(dialog.GetByText("Try again later.")).ToBeVisibleAsync();
        await person.Page.UnrouteAllAsync();
        await person.GoOfflineAsync();
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(dialog.GetByText("No connection. Nothing was changed.")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.ComeBackAsync();

        await person.Button("Delete").PressAsync("Enter");
        await Expect(dialog).ToBeHiddenAsync();
        await Expect(Thumbnail(person, 1)).ToBeHiddenAsync();
        await Expect(Thumbnail(person, 2)).ToBeFocusedAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.Button("Undo").PressAsync("Enter");

        await Expect(Thumbnail(person, 1)).ToBeFocusedAsync();
        await Expect(person.Button("Undo")).ToHaveCountAsync(0);
        Assert.Equal(order, await Thumbnails(person).EvaluateAllAsync<string[]>("all => all.map(it => it.id)"));

        foreach (var left in new[] { 2, 1, 0 })
        {
            await Thumbnails(person).Last.GetByRole(AriaRole.Link).ClickAsync();
            await person.Button("Delete").ClickAsync();
            await Expect(Thumbnails(person)).ToHaveCountAsync(left);
            if (left > 0)
                await Expect(Thumbnails(person).Last.GetByRole(AriaRole.Link)).ToBeFocusedAsync();
        }

        await Expect(person.Page.GetByText("No pictures here.")).ToBeVisibleAsync();
        await person.Page.ReloadAsync();
        await Expect(person.Page.GetByText("Your pictures will be here")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task On_a_phone_the_grid_goes_on_by_itself_and_says_why_it_does_not()
    {
        await using var person = await ArriveAsync(90, Person.Phone);
        var isBroken = true;
        await person.Page.Clock.InstallAsync();
        await person.Page.RouteAsync("**/images/grid?*", route => isBroken
            ? route.FulfillAsync(new() { Status = 503, ContentType = "text/html", Body = "<div class=\"notice\" role=\"alert\"><p>Try again later.</p></div>" })
            : route.ContinueAsync());
        await VisitAsync(person, "/images");
        Assert.Equal(2, await person.Page.Locator("#gallery ul").EvaluateAsync<int>("it => getComputedStyle(it).gridTemplateColumns.split(' ').length"));
        Assert.Equal(390, await person.Page.EvaluateAsync<int>("document.querySelector('#gallery').parentElement.scrollWidth"));

        await person.Page.Locator("#more").ScrollIntoViewIfNeededAsync();
        await Expect(person.Page.GetByText("Try again later.")).ToBeVisibleAsync();
        await Expect(person.Button("Retry")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.GoOfflineAsync();
        await Expect(person.Page.GetByText("You are offline.")).ToBeVisibleAsync();
        await person.ComeBackAsync();
        // From here on nothing is tried by itself: what was due comes now, and what comes after it never.
        await person.Page.Clock.PauseAtAsync(TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(10));
        await Expect(person.Page.Locator("#more.htmx-request")).ToHaveCountAsync(0);
        isBroken = false;
        await person.Button("Retry").ClickAsync();
        await Expect(Thumbnails(person)).ToHaveCountAsync(80);
        await person.Page.Clock.ResumeAsync();

        await Eventually.TrueAsync(async () =>
        {
            await Thumbnails(person).Last.ScrollIntoViewIfNeededAsync();
            return await Thumbnails(person).CountAsync() == 90;
        });
        Assert.Equal(90, await Thumbnails(person).EvaluateAllAsync<int>("all => new Set(all.map(it => it.id)).size"));
        await Expect(person.Page.Locator("#more")).ToHaveCountAsync(0);
        await Thumbnail(person, 89).ClickAsync();
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        Assert.Equal(390, await person.Page.GetByRole(AriaRole.Dialog).EvaluateAsync<int>("it => it.offsetWidth"));
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task A_search_finds_while_one_types_and_stays_in_the_address()
    {
        await using var person = await ArriveAsync(12);
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Images", Exact = true }).ClickAsync();
        await Expect(Thumbnails(person)).ToHaveCountAsync(12);
        await Expect(person.Page.Locator("#sidebar [aria-current=page]")).ToHaveTextAsync("Images");

        var field = person.Page.GetByRole(AriaRole.Searchbox, new() { Name = "Search images" });
        await field.PressSequentiallyAsync("picture 1");
        await Expect(Thumbnails(person)).ToHaveCountAsync(3);
        await Expect(person.Page).ToHaveURLAsync(SearchAddress());
        await Expect(field).ToBeFocusedAsync();
        var prompt = person.Page.GetByRole(AriaRole.Dialog).Locator("[data-source]");
        await Thumbnail(person, 1).ClickAsync();
        await Expect(prompt).ToHaveTextAsync("picture 1");
        await person.Page.Keyboard.PressAsync("ArrowRight");
        await Expect(prompt).ToHaveTextAsync("picture 10");
        await person.Page.Keyboard.PressAsync("Escape");

        await person.Page.ReloadAsync();
        await Expect(field).ToHaveValueAsync("picture 1");
        await Expect(Thumbnails(person)).ToHaveCountAsync(3);
        await field.FillAsync("whale");
        await Expect(person.Page.GetByText("Nothing found for “whale”.")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
    }

    [Fact]
    public async Task Without_scripts_links_lead_through_the_gallery_and_a_deletion_can_be_taken_back()
    {
        await using var person = await ArriveAsync(45, Person.WithoutScripts);
        await VisitAsync(person, "/images");

        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Older pictures" }).ClickAsync();
        await Expect(Thumbnails(person)).ToHaveCountAsync(5);
        await Thumbnail(person, 42).ClickAsync();
        await person.Page.GetByRole(AriaRole.Link, new() { Name = "Older", Exact = true }).ClickAsync();
        await Expect(person.Page.Locator("[data-source]")).ToHaveTextAsync("picture 43");
        await person.Button("Delete").ClickAsync();
        await Expect(person.Page.Locator("main")).ToContainTextAsync("Picture deleted.");
        await person.Button("Undo").ClickAsync();

        await Expect(person.Page.Locator("[data-source]")).ToHaveTextAsync("picture 43");
    }

    private static ILocator Thumbnails(Person person) => person.Page.Locator("#gallery li[id^=image-]:not([hidden])");

    private static ILocator Thumbnail(Person person, int number) =>
        person.Page.GetByRole(AriaRole.Link, new() { Name = $"picture {number}", Exact = true });

    private async Task VisitAsync(Person person, string path) => await person.Page.GotoAsync(new Uri(app.Address, path).ToString());

    /// <summary>Somebody with an upload and older pictures: <c>picture 1</c>, <c>picture 2</c> and so on.</summary>
    private async Task<Person> ArriveAsync(int pictures, BrowserNewContextOptions? options = null)
    {
        var person = await Person.ArriveAsync(chromium, app.Address, "/signup", options);
        try
        {
            await SignUpAsync(person, pictures);
            return person;
        }
        catch
        {
            // Without asking for scripts that failed: what went wrong first is what is told.
            await person.Profile.DisposeAsync();
            throw;
        }
    }

    private async Task SignUpAsync(Person person, int pictures)
    {
        await person.Page.GetByLabel("Name").FillAsync("Ada");
        await person.Page.GetByLabel("Email").FillAsync($"{Guid.CreateVersion7(TimeProvider.System.GetUtcNow()):N}@example.org");
        await person.Page.GetByLabel("Password").FillAsync("a few easy words");
        await person.Button("Sign up").ClickAsync();
        await Expect(person.Message).ToBeVisibleAsync();
        var upload = person.Profile.APIRequest.CreateFormData();
        upload.Set("file", new FilePayload { Name = "an upload.png", MimeType = "image/png", Buffer = Png });
        var token = await person.Page.Locator("meta[name=csrf-token]").GetAttributeAsync("content");
        var response = await person.Profile.APIRequest.PostAsync(
            new Uri(app.Address, "/media/assets").ToString(), new() { Multipart = upload, Headers = [KeyValuePair.Create("X-CSRF-TOKEN", token!)] });
        Assert.Equal(201, response.Status);
        var now = TimeProvider.System.GetUtcNow();
        await using var source = NpgsqlDataSource.Create(app.Host.Services.GetRequiredService<IConfiguration>().GetConnectionString("Postgres")!);
        await using var command = source.CreateCommand("""
            INSERT INTO media.assets (id, owner_id, kind, media_type, bytes, content_hash, file_name, width, height, preview, created_at, prompt, search)
            SELECT i.id, owner_id, kind, media_type, bytes, content_hash, file_name, width, height, preview, created_at,
                'picture ' || n, to_tsvector('simple', 'picture ' || n)
            FROM media.assets a, unnest($2) WITH ORDINALITY i(id, n) WHERE a.id = $1
            """);
        command.Parameters.AddWithValue(Guid.Parse(response.Headers["location"].Split('/')[^1]));
        command.Parameters.AddWithValue(Enumerable.Range(1, pictures - 1).Select(n => Guid.CreateVersion7(now.AddMinutes(-n))).ToArray());
        await command.ExecuteNonQueryAsync(TestContext.Current.CancellationToken);
    }

    [GeneratedRegex(@"/images\?q=picture(\+|%20)1$")]
    private static partial Regex SearchAddress();
}
