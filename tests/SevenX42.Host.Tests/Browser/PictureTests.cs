using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>A person watches how a picture is drawn.</summary>
public sealed class PictureTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    private AppHost? _app;

    public async ValueTask InitializeAsync() =>
        _app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), [new("Generation:DemoStepsPerSecond", "8")]);

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    [Fact]
    public async Task The_bar_moves_through_real_steps_to_the_picture_and_stops_where_it_is_stopped()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address);

        // With the keyboard alone.
        var mode = person.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Draw a picture" });
        await mode.FocusAsync();
        await person.Page.Keyboard.PressAsync("Space");
        await Expect(person.Page.GetByLabel("Size")).ToBeVisibleAsync();
        await person.Page.GetByText("More options").ClickAsync();
        Assert.Equal("", await person.AccessibilityFaultsAsync());
        await person.Message.FillAsync("a lighthouse at dusk");
        // All of it passes by within seconds.
        Func<Task>[] shown =
        [
            await person.WatchForAsync("#announcer", "Drawing the picture has begun."),
            await person.WatchForAsync("article[data-role=assistant]", "of 20"),
            await person.WatchForAsync("article[data-role=assistant][aria-busy=true] .canvas img"),
        ];
        var second = StepAsync(person, 2);
        await person.Message.PressAsync("Enter");

        await second;
        foreach (var was in shown)
            await was();
        await person.AnswerBecomesAsync("completed");
        await Expect(person.Page.Locator("#announcer")).ToHaveTextAsync("Drawing the picture has ended.");
        var picture = person.LastAnswer.GetByRole(AriaRole.Img, new() { Name = "a lighthouse at dusk" });
        await Expect(picture).ToBeVisibleAsync();
        await person.Page.WaitForFunctionAsync("() => document.querySelector('article:last-of-type img').naturalWidth > 0");
        Assert.Equal(512, await picture.EvaluateAsync<int>("it => it.offsetWidth"));
        Assert.Equal("", await person.AccessibilityFaultsAsync());

        // What can't be is said, although it is not to be seen.
        var more = person.Page.GetByText("More options");
        await more.ClickAsync();
        await person.Page.GetByLabel("Seed").FillAsync("-1");
        await more.ClickAsync();
        await person.Message.FillAsync("a storm");
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.Locator("#composer-notice")).ToContainTextAsync("A seed is a whole number that is not negative.");

        // Once more, and stopped on the way.
        Assert.Contains("imageModel", await RegenerateAsync(person), StringComparison.Ordinal);
        await StepAsync(person, 5);
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        await Expect(person.LastAnswer.GetByRole(AriaRole.Img)).ToHaveCountAsync(0);
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await Expect(mode).ToBeCheckedAsync();

        // Who writes now chooses no model that draws.
        await mode.FocusAsync();
        await person.Page.Keyboard.PressAsync("Space");
        Assert.DoesNotContain("imageModel", await RegenerateAsync(person), StringComparison.Ordinal);
        await Expect(person.LastAnswer).ToContainTextAsync("3/3");
        await person.Page.ReloadAsync();
        await Expect(mode).Not.ToBeCheckedAsync();
    }

    [Fact]
    public async Task Several_pictures_fill_the_width_of_the_conversation_in_twos()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address);
        await person.Page.GetByRole(AriaRole.Checkbox, new() { Name = "Draw a picture" }).PressAsync("Space");
        await person.Page.GetByLabel("Size").SelectOptionAsync("768x512");
        await person.Page.GetByLabel("How many").SelectOptionAsync("2");
        await person.Page.GetByText("More options").ClickAsync();
        await person.Page.GetByLabel("Steps").FillAsync("1");
        await person.Message.FillAsync("two boats");
        await person.Message.PressAsync("Enter");
        await person.AnswerBecomesAsync("completed");
        await person.Page.WaitForFunctionAsync(
            "() => { const all = [...document.querySelectorAll('article img')]; return all.length === 2 && all.every(it => it.naturalWidth > 0); }");

        var edges = await person.LastAnswer.GetByRole(AriaRole.Img).EvaluateAllAsync<int[]>(
            """
            all => {
              const [whole, ...them] = [all[0].closest("ul"), ...all].map(it => it.getBoundingClientRect());
              return [them[0].left - whole.left, them[1].left - them[0].right, whole.right - them[1].right].map(Math.round);
            }
            """);
        Assert.Equal([0, 12, 0], edges);
    }

    /// <summary>What the page sends for other pictures.</summary>
    private static async Task<string> RegenerateAsync(Person person)
    {
        var request = await person.Page.RunAndWaitForRequestAsync(
            () => person.Button("Regenerate").ClickAsync(), r => r.Url.EndsWith("/regenerate", StringComparison.Ordinal));
        return request.PostData!;
    }

    /// <summary>Waits until so many steps are done, and says how many are.</summary>
    private static async Task<int> StepAsync(Person person, int step)
    {
        var value = await person.Page.WaitForFunctionAsync(
            "step => { const bar = document.querySelector('article:last-of-type progress'); return bar?.value >= step && bar.value; }", step);
        return await value.JsonValueAsync<int>();
    }
}
