using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>A person draws in the studio.</summary>
public sealed class StudioTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    private string _database = null!;
    private AppHost? _app;

    public async ValueTask InitializeAsync()
    {
        _database = await postgres.CreateDatabaseAsync();
        _app = await AppHost.StartAsync(_database, [new("Generation:DemoStepsPerSecond", "8")]);
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    [Fact]
    public async Task A_picture_is_drawn_stopped_and_drawn_again_with_the_keyboard_alone()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address, "/studio");
        var (page, keys) = (person.Page, person.Page.Keyboard);
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        // A suggestion is written into the form, where the focus is then, and is drawn from there.
        await page.GetByRole(AriaRole.Button, new() { Name = "A red fox asleep in fresh snow" }).FocusAsync();
        await keys.PressAsync("Enter");
        await Expect(Prompt(page)).ToBeFocusedAsync();
        await page.GetByLabel("Steps").FillAsync("30");
        await Prompt(page).PressAsync("Enter");
        var step = await StepAsync(person, 2);

        // It goes on without the page, and the page goes on with it. What was drawn can be changed a little and drawn again.
        await page.ReloadAsync();
        await Expect(Prompt(page)).ToHaveValueAsync("A red fox asleep in fresh snow");
        Assert.InRange(await StepAsync(person, 1), step, 30);
        await person.AnswerBecomesAsync("completed");
        await Expect(person.LastAnswer.GetByRole(AriaRole.Img, new() { Name = "A red fox asleep in fresh snow" })).ToBeVisibleAsync();
        await Expect(person.Button("Draw")).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        // Once more with another seed, and stopped on the way.
        await person.Button("Again").FocusAsync();
        await keys.PressAsync("Enter");
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await Expect(Prompt(page)).ToBeFocusedAsync();
        await StepAsync(person, 3);
        await Expect(person.Button("Draw")).ToBeHiddenAsync();
        await keys.PressAsync("Escape");
        await person.AnswerBecomesAsync("stopped");
        await Expect(person.LastAnswer.GetByRole(AriaRole.Img)).ToHaveCountAsync(0);

        // Another one takes the stage, in every tab, and the one before is at hand. The pictures are looked for anew when it has ended.
        var tab = await person.OpenTabAsync("/studio");
        await Prompt(page).FillAsync("a lighthouse");
        await page.GetByLabel("Steps").FillAsync("1");
        await page.RunAndWaitForRequestAsync(
            async () =>
            {
                await Prompt(page).PressAsync("Enter");
                await Expect(page.Locator("article[data-role=user]")).ToHaveTextAsync(new System.Text.RegularExpressions.Regex("a lighthouse"));
                await person.AnswerBecomesAsync("completed");
            },
            r => r.Url.Contains("/images/grid", StringComparison.Ordinal));
        await Expect(page.Locator("article")).ToHaveCountAsync(2);
        await Expect(tab.Locator("article[data-role=user]")).ToContainTextAsync("a lighthouse");
        await Expect(page.Locator("#prompts button")).ToHaveTextAsync(["a lighthouse", "A red fox asleep in fresh snow"]);
        await page.Locator("#prompts button").Last.FocusAsync();
        await keys.PressAsync("Enter");
        await Expect(Prompt(page)).ToHaveValueAsync("A red fox asleep in fresh snow");
        await keys.PressAsync("Control+z");
        await Expect(Prompt(page)).ToHaveValueAsync("a lighthouse");
        await keys.PressAsync("Control+Shift+z");

        // Whoever takes a deletion back goes on at the picture, though the grid was fetched anew in between.
        var thumbnails = page.Locator("#pictures li > a");
        await thumbnails.First.PressAsync("Enter");
        await person.Button("Delete").PressAsync("Enter");
        await Expect(page.Locator("#pictures li[id]")).ToHaveCountAsync(1);
        await Expect(person.LastAnswer).ToContainTextAsync("A picture was deleted.");
        await Expect(thumbnails).ToBeFocusedAsync();
        await person.Button("Undo").PressAsync("Enter");
        await Expect(thumbnails).ToHaveCountAsync(2);
        await Expect(thumbnails.First).ToBeFocusedAsync();
        await Expect(person.LastAnswer.GetByRole(AriaRole.Img)).ToBeVisibleAsync();

        // What is refused is said, and stays to be changed.
        await page.GetByLabel("Seed").FillAsync("-1");
        await keys.PressAsync("Enter");
        await Expect(page.Locator("#composer-notice")).ToContainTextAsync("A seed is a whole number that is not negative.");
        await Expect(Prompt(page)).ToHaveValueAsync("A red fox asleep in fresh snow");
    }

    [Fact]
    public async Task On_a_phone_the_bar_is_to_be_seen_above_the_form_and_nothing_is_wider_than_the_screen()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address, "/studio?prompt=a+boat&size=512x768&steps=50", Person.Phone);
        await Expect(Prompt(person.Page)).ToHaveValueAsync("a boat");
        await Expect(person.Page.GetByLabel("Size")).ToHaveValueAsync("512x768");
        await Expect(person.Page.GetByLabel("Seed")).ToBeHiddenAsync();
        // As many as leave time to look.
        await person.Page.GetByLabel("How many").SelectOptionAsync("4");
        await person.Button("Draw").ClickAsync();
        await StepAsync(person, 2);

        await person.LastAnswer.Locator(".canvas img").First.WaitForAsync();
        // Asked of the page at once: each step brings a new bar.
        Assert.True(await person.Page.EvaluateAsync<bool>(
            "() => document.querySelector('article progress').getBoundingClientRect().bottom < document.querySelector('#composer').getBoundingClientRect().top"));
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        Assert.Equal(390, await person.Page.EvaluateAsync<int>(
            "() => Math.max(...[...document.querySelectorAll('#main, #main *:not(#prompts *)')].map(e => Math.round(e.getBoundingClientRect().right)))"));
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");

        // What makes the same picture again is not hidden.
        await person.Page.GotoAsync(new Uri(_app.Address, "/studio?prompt=a+boat&seed=7").ToString());
        await Expect(person.Page.GetByLabel("Seed")).ToBeVisibleAsync();
        await Expect(person.Page.GetByLabel("Seed")).ToHaveValueAsync("7");
    }

    [Fact]
    public async Task Where_nothing_draws_any_more_what_was_drawn_is_there_and_it_is_said_why_there_is_no_more()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address, "/studio?prompt=a+boat&steps=1");
        await Prompt(person.Page).PressAsync("Enter");
        await person.AnswerBecomesAsync("completed");
        await _app.DisposeAsync();
        _app = null;
        _app = await AppHost.StartAsync(_database, [new("Generation:Demo", "false"), new("Generation:Discovery", "true")]);
        await person.Page.GotoAsync(new Uri(_app.Address, "/studio").ToString());

        await Expect(person.Page.GetByText("No model that draws is connected yet")).ToBeVisibleAsync();
        await Expect(person.LastAnswer.GetByRole(AriaRole.Img, new() { Name = "a boat" })).ToBeVisibleAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.Button("Again").ClickAsync();
        await Expect(person.Page.Locator("#composer-notice")).ToContainTextAsync("is not available here any more");
    }

    private static ILocator Prompt(IPage page) => page.GetByRole(AriaRole.Textbox, new() { Name = "Prompt", Exact = true });

    /// <summary>Waits until so many steps are done, and says how many are.</summary>
    private static async Task<int> StepAsync(Person person, int step)
    {
        var value = await person.Page.WaitForFunctionAsync(
            "step => { const bar = document.querySelector('article:last-of-type progress'); return bar?.value >= step && bar.value; }", step);
        return await value.JsonValueAsync<int>();
    }
}
