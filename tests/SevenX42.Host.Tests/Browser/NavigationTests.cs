using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Getting around: by keyboard, on a phone, up and down a long conversation.</summary>
public sealed class NavigationTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task The_first_tab_stop_skips_to_the_conversation()
    {
        // A page where nothing takes the focus by itself.
        await using var person = await Person.ArriveAsync(chromium, app.Address, "/nothing/here");

        await person.Page.Keyboard.PressAsync("Tab");
        await Expect(person.Page.GetByRole(AriaRole.Link, new() { Name = "Skip to the conversation" })).ToBeFocusedAsync();
        await person.Page.Keyboard.PressAsync("Enter");

        await Expect(person.Page.Locator("#main")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task Shortcuts_lead_to_search_a_new_chat_the_composer_and_their_own_list()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var keyboard = person.Page.Keyboard;

        await keyboard.PressAsync("Control+k");
        await Expect(person.Page.GetByRole(AriaRole.Searchbox)).ToBeFocusedAsync();
        await person.Page.Locator("#main").FocusAsync();
        await keyboard.PressAsync("/");
        await Expect(person.Message).ToBeFocusedAsync();
        await Expect(person.Message).ToHaveValueAsync("");
        await person.Page.Locator("#main").FocusAsync();
        await keyboard.PressAsync("?");
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeVisibleAsync();
        await keyboard.PressAsync("Escape");
        await Expect(person.Page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();
        await keyboard.PressAsync("Control+Shift+o");
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await Expect(person.Message).ToBeFocusedAsync();
    }

    [Fact]
    public async Task On_a_phone_the_sidebar_keeps_the_focus_until_escape_puts_it_away()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: Person.Phone);
        var drawer = person.Page.GetByRole(AriaRole.Dialog, new() { Name = "Sidebar" });

        await person.Button("Open sidebar").ClickAsync();
        await Expect(drawer).ToBeVisibleAsync();
        await Expect(person.Button("Close sidebar")).ToBeFocusedAsync();
        for (var i = 0; i < 12; i++)
        {
            await person.Page.Keyboard.PressAsync("Tab");
            Assert.False(await person.Page.EvaluateAsync<bool>("document.querySelector('#main').contains(document.activeElement)"));
        }

        await person.Page.Keyboard.PressAsync("Escape");
        await Expect(person.Page.Locator("#drawer")).ToBeHiddenAsync();
        await Expect(person.Button("Open sidebar")).ToBeFocusedAsync();
    }

    [Fact]
    public async Task On_a_phone_choosing_a_conversation_puts_the_sidebar_away()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: Person.Phone);
        await person.SayAsync("first of two");
        await person.AnswerBecomesAsync("completed");
        await person.Button("Open sidebar").ClickAsync();
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("#drawer")).ToBeHiddenAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);

        await person.Button("Open sidebar").ClickAsync();
        await person.Page.Locator("#conversations a").First.ClickAsync();

        await Expect(person.Page.Locator("#drawer")).ToBeHiddenAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("first of two");
    }

    [Fact]
    public async Task The_view_follows_the_text_stays_when_one_scrolls_up_and_a_button_leads_back()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("markdown");
        await person.AnswerBecomesAsync("completed");

        await person.SayAsync("long");
        await Expect(person.LastAnswer.Locator("[data-block]")).Not.ToHaveCountAsync(0);
        await Eventually(person, "scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 4 && scroller.scrollTop > 0");
        var jump = person.Button("Jump to latest");
        await Expect(jump).ToBeHiddenAsync();

        await person.Page.Mouse.MoveAsync(800, 400);
        await person.Page.Mouse.WheelAsync(0, -500);
        await Expect(jump).ToBeVisibleAsync();
        // The wheel scrolls on for some frames.
        await person.Page.EvaluateAsync(
            """
            () => new Promise((done) => {
              const scroller = document.querySelector("#scroller");
              let [top, still] = [-1, 0];
              const look = () => {
                still = scroller.scrollTop === top ? still + 1 : 0;
                top = scroller.scrollTop;
                if (still < 10) requestAnimationFrame(look);
                else done();
              };
              look();
            })
            """);
        var (top, length) = await ReadAsync(person);
        await Eventually(person, $"scroller.scrollHeight > {length} + 100");
        Assert.Equal(top, (await ReadAsync(person)).Top, 2.0);

        await jump.ClickAsync();
        await Expect(jump).ToBeHiddenAsync();
        await Eventually(person, "scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop < 4");
        await person.Stop.ClickAsync();
    }

    [Fact]
    public async Task Nothing_is_wider_than_the_screen_from_a_small_phone_to_a_large_desktop()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("markdown");
        await person.AnswerBecomesAsync("completed");

        foreach (var width in (int[])[320, 390, 768, 1024, 1440, 1920])
        {
            await person.Page.SetViewportSizeAsync(width, 800);
            Assert.Equal(0, await person.Page.EvaluateAsync<int>("Math.max(0, document.documentElement.scrollWidth - innerWidth, ...[...document.querySelectorAll('#main, #scroller, #composer')].map(e => e.scrollWidth - e.clientWidth))"));
        }
    }

    [Fact]
    public async Task Searching_while_typing_is_one_step_back()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("zebra crossing");
        await person.AnswerBecomesAsync("completed");
        var conversation = person.Page.Url;

        await person.Page.GetByRole(AriaRole.Searchbox).PressSequentiallyAsync("zebra", new() { Delay = 150 });
        await Expect(person.Page.Locator("main mark").First).ToHaveTextAsync("zebra", new() { IgnoreCase = true });
        await Expect(person.Page.GetByRole(AriaRole.Searchbox)).ToBeFocusedAsync();
        await person.Page.GoBackAsync();

        await Expect(person.Page).ToHaveURLAsync(conversation);
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("zebra crossing");
    }

    [Fact]
    public async Task On_a_phone_enter_in_the_search_puts_the_sidebar_away_and_shows_what_was_found()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address, options: Person.Phone);
        await person.SayAsync("penguin colony");
        await person.AnswerBecomesAsync("completed");

        await person.Button("Open sidebar").ClickAsync();
        await person.Page.GetByRole(AriaRole.Searchbox).FillAsync("penguin");
        await person.Page.GetByRole(AriaRole.Searchbox).PressAsync("Enter");

        await Expect(person.Page.Locator("#drawer")).ToBeHiddenAsync();
        await Expect(person.Page.Locator("main mark").First).ToHaveTextAsync("penguin", new() { IgnoreCase = true });
        await person.Page.Locator("main li a").First.ClickAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("penguin colony");
    }

    [Fact]
    public async Task What_was_chosen_last_is_shown_whatever_answers_first_and_the_page_shows_that_it_waits()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        var (slow, quick) = await TwoConversationsAsync(person);
        var main = person.Page.Locator("#main");
        using var held = await HeldRequests.HoldAsync(person.Page, $"**{slow}", method: "GET");
        var given = GivenUpAsync(person.Page, slow);

        await Entry(person, slow).ClickAsync();
        await held.Arrived;
        await Expect(main).ToHaveCSSAsync("opacity", "0.7");
        await Entry(person, quick).ClickAsync();

        await Expect(Said(person)).ToHaveTextAsync("the quick one");
        await Expect(main).ToHaveCSSAsync("opacity", "1");
        await given;
        held.LetGo();
        await Expect(person.Page).ToHaveURLAsync(new Uri(app.Address, quick).ToString());
        await Expect(Said(person)).ToHaveTextAsync("the quick one");
    }

    [Fact]
    public async Task A_search_that_waits_for_the_next_letter_does_not_come_after_the_click_on_a_conversation()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        var (_, quick) = await TwoConversationsAsync(person);
        await person.Page.EvaluateAsync(
            "window.asked = []; document.addEventListener('htmx:before:request', e => asked.push(e.detail.ctx.request.action))");
        await person.Page.Clock.InstallAsync();
        await person.Page.Clock.PauseAtAsync(TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(10));

        await person.Page.GetByRole(AriaRole.Searchbox).FillAsync("quick");
        await Entry(person, quick).ClickAsync();
        await Expect(Said(person)).ToHaveTextAsync("the quick one");
        await person.Page.Clock.RunForAsync(1_000);

        Assert.Contains(quick, await AskedAsync());
        Assert.DoesNotContain(await AskedAsync(), path => path.StartsWith("/search", StringComparison.Ordinal));
        await person.Page.GetByRole(AriaRole.Searchbox).FillAsync("late one");
        await person.Page.Clock.RunForAsync(1_000);
        Assert.Contains("/search?q=late+one", await AskedAsync());

        Task<string[]> AskedAsync() => person.Page.EvaluateAsync<string[]>("asked");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whoever_goes_elsewhere_while_a_conversation_begins_stays_there_and_finds_it_in_the_list(bool anew)
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        var (_, quick) = await TwoConversationsAsync(person);
        await person.Page.EvaluateAsync(
            "document.addEventListener('htmx:finally:request', e => window.over ||= e.detail.ctx.request.method === 'POST')");
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations", answered: true);

        await person.Message.FillAsync("the third one");
        await person.Message.PressAsync("Enter");
        await held.Arrived;
        if (anew)
        {
            await person.Button("New chat").ClickAsync();
            await Expect(person.Button("Sending…")).ToHaveCountAsync(0);
        }
        else
        {
            await Entry(person, quick).ClickAsync();
            await Expect(Said(person)).ToHaveTextAsync("the quick one");
        }

        held.LetGo();
        await person.Page.WaitForFunctionAsync("() => window.over");

        await Expect(person.Page).ToHaveURLAsync(new Uri(app.Address, anew ? "/" : quick).ToString());
        await Expect(Said(person)).ToHaveTextAsync(anew ? [] : (string[])["the quick one"]);
        await Expect(person.Page.Locator("#conversations")).ToContainTextAsync("the third one", new() { IgnoreCase = true });
        if (!anew)
            await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await Expect(person.Message).ToHaveValueAsync("");
    }

    /// <summary>Addresses of two conversations, which stand in the list; the page is a new chat.</summary>
    private static async Task<(string Slow, string Quick)> TwoConversationsAsync(Person person)
    {
        var paths = new List<string>();
        foreach (var text in (string[])["the late one", "the quick one"])
        {
            await person.SayAsync(text);
            await person.AnswerBecomesAsync("completed");
            paths.Add(new Uri(person.Page.Url).AbsolutePath);
            await person.Button("New chat").ClickAsync();
            await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        }

        return (paths[0], paths[1]);
    }

    private static ILocator Said(Person person) => person.Page.Locator("article[data-role=user] [data-source]");

    private static ILocator Entry(Person person, string path) => person.Page.Locator($"#conversations a[href='{path}']");

    /// <summary>Completes when the page no longer waits for the answer to a request; fails when it goes on.</summary>
    private static Task GivenUpAsync(IPage page, string path)
    {
        var given = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        page.RequestFailed += (_, request) =>
        {
            if (new Uri(request.Url).AbsolutePath == path)
                given.TrySetResult();
        };
        return given.Task.WaitAsync(TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
    }

    private static Task<IJSHandle> Eventually(Person person, string condition) =>
        person.Page.WaitForFunctionAsync($"() => {{ const scroller = document.querySelector('#scroller'); return {condition}; }}");

    private static async Task<(double Top, double Length)> ReadAsync(Person person)
    {
        var read = await person.Page.EvaluateAsync<double[]>("() => { const s = document.querySelector('#scroller'); return [s.scrollTop, s.scrollHeight]; }");
        return (read[0], read[1]);
    }
}
