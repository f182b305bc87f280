using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>A server that is busy for a moment takes nothing off the page, and what the page missed comes in the end.</summary>
public sealed class RefusalTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task A_refused_refresh_leaves_the_conversation_where_it_is_and_is_made_again()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);
        var refused = await RefuseAsync(person.Page, "**/conversations/*/transcript*", times: 2);

        await other.GetByRole(AriaRole.Button, new() { Name = "Regenerate", Exact = true }).ClickAsync();

        await refused;
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(2);
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await person.AnswerBecomesAsync("completed");
    }

    [Fact]
    public async Task An_answer_whose_last_fetch_is_refused_comes_to_its_end_all_the_same()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("long");
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        var refused = await RefuseAsync(person.Page, "**/conversations/*/messages/*", times: 2);

        await person.Stop.ClickAsync();

        await refused;
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await Expect(person.Button("Regenerate")).ToBeVisibleAsync();
    }

    [Fact]
    public async Task A_refused_edit_says_so_and_takes_no_message_off_the_page()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("first wording");
        await person.AnswerBecomesAsync("completed");
        var refused = await RefuseAsync(person.Page, "**/messages/*/edit", times: 1);

        await person.Button("Edit").ClickAsync();

        await refused;
        await Expect(person.Page.Locator("#composer-notice")).ToContainTextAsync("Busy");
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("first wording");
        await person.Button("Edit").ClickAsync();
        var cancelled = await RefuseAsync(person.Page, "**/conversations/*/messages/*", times: 1);
        await person.Button("Cancel").ClickAsync();
        await cancelled;
        await Expect(person.Page.GetByRole(AriaRole.Textbox, new() { Name = "Edit message" })).ToHaveValueAsync("first wording");
    }

    [Fact]
    public async Task A_refused_copy_says_why_and_copies_nothing()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.Profile.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Page.EvaluateAsync("navigator.clipboard.writeText('what was there')");
        var refused = await RefuseAsync(person.Page, "**/messages/*/raw", times: 1);

        await person.LastAnswer.GetByRole(AriaRole.Button, new() { Name = "Copy", Exact = true }).ClickAsync();

        await refused;
        await Expect(person.Page.Locator("#toasts > *")).ToHaveTextAsync("Busy");
        await Expect(person.Page.Locator("#announcer")).Not.ToHaveTextAsync("Copied");
        Assert.Equal("what was there", await person.Page.EvaluateAsync<string>("navigator.clipboard.readText()"));
    }

    [Fact]
    public async Task A_refusal_can_be_read_where_motion_is_reduced_and_waits_for_whoever_points_at_it()
    {
        await using var person = await Person.ArriveAsync(
            chromium, app.Address, options: new(Person.Desktop) { ReducedMotion = ReducedMotion.Reduce });
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var refused = await RefuseAsync(person.Page, "**/conversations/*/settings", times: 1);

        await person.Settings.ClickAsync();

        await refused;
        var notice = person.Page.Locator("#toasts > .notice");
        await notice.HoverAsync();
        await Expect(notice).ToHaveCSSAsync("animation-play-state", "paused");
        await Expect(notice).ToHaveCSSAsync("animation-duration", "8s");
    }

    /// <summary>Refuses requests like a server without a free connection does.</summary>
    /// <returns>Completes when it has refused that many; fails when they don't come.</returns>
    private static async Task<Task> RefuseAsync(IPage page, string pattern, int times)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await page.RouteAsync(pattern, async route =>
        {
            if (times <= 0)
            {
                await route.FallbackAsync();
                return;
            }

            times--;
            await route.FulfillAsync(new() { Status = 503, ContentType = "text/html", Body = """<div class="notice" role="alert"><p>Busy</p></div>""" });
            if (times == 0)
                done.SetResult();
        });
        return done.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }
}
