using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>What one wrote is never lost, and what one reads is complete, whatever the network does.</summary>
public sealed class BadNetworkTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task A_draft_survives_a_reload_and_belongs_to_its_conversation()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.Message.FillAsync("half a thought");
        await person.Page.ReloadAsync();
        await Expect(person.Message).ToHaveValueAsync("half a thought");

        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await Expect(person.Message).ToHaveValueAsync("");
        await person.Page.GoBackAsync();
        await Expect(person.Message).ToHaveValueAsync("half a thought");
    }

    [Fact]
    public async Task A_refused_message_stays_in_the_box_with_a_sentence_beside_it()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        var tooLong = new string('x', 300_000);

        await person.Message.FillAsync(tooLong);
        await person.Message.PressAsync("Enter");

        await Expect(person.Page.Locator("#composer").GetByRole(AriaRole.Alert).Filter(new() { Visible = true })).ToBeVisibleAsync();
        Assert.Equal(tooLong.Length, (await person.Message.InputValueAsync()).Length);
    }

    [Fact]
    public async Task A_message_written_offline_is_kept_and_sent_when_the_network_is_back()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");

        await person.GoOfflineAsync();
        await person.Message.FillAsync("sent from a tunnel");
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.GetByText("No connection. Your message is kept")).ToBeVisibleAsync();
        await Expect(person.Button("Retry")).ToBeVisibleAsync();
        await Expect(person.Message).ToHaveValueAsync("sent from a tunnel");
        await person.ComeBackAsync();

        await Expect(person.Page.Locator("article[data-role=user]").Last).ToContainTextAsync("sent from a tunnel");
        await Expect(person.Message).ToHaveValueAsync("");
        await person.AnswerBecomesAsync("completed");
        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveCountAsync(2);
    }

    [Fact]
    public async Task What_was_changed_while_there_was_no_connection_is_sent_by_nobody_but_its_writer()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.GoOfflineAsync();
        await person.Message.FillAsync("Two words");
        await person.Message.PressAsync("Enter");
        var notice = person.Page.GetByText("No connection. Your message is kept");
        await Expect(person.Page.GetByText("and sent when the connection is back")).ToBeVisibleAsync();

        await person.Message.FillAsync("");
        await Expect(notice).ToBeHiddenAsync();
        await person.Message.FillAsync("Two words and");
        await Expect(notice).ToBeVisibleAsync();
        await Expect(person.Page.GetByText("and sent when the connection is back")).ToBeHiddenAsync();
        await person.ComeBackAsync();
        await Expect(person.Page.Locator("#connection")).ToHaveAttributeAsync("data-state", "connected");
        await person.Message.FillAsync("Two words and two more");
        await person.Message.PressAsync("Enter");

        var said = person.Page.Locator("article[data-role=user]");
        await Expect(said.Last).ToContainTextAsync("Two words and two more");
        await person.AnswerBecomesAsync("completed");
        await Expect(said).ToHaveCountAsync(2);
    }

    [Fact]
    public async Task A_message_that_found_no_server_is_sent_when_there_is_one_though_the_browser_was_never_offline()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var away = true;
        await person.Page.RouteAsync("**/realtime/**", route => away ? route.AbortAsync() : route.FallbackAsync());
        await person.Page.RouteAsync("**/conversations/*/messages", route => away ? route.AbortAsync() : route.FallbackAsync());
        await person.Page.RouteWebSocketAsync("**/realtime", socket => _ = away ? socket.CloseAsync() : Task.FromResult(socket.ConnectToServer()));
        await person.Page.ReloadAsync();
        await Expect(person.Page.Locator("#connection")).ToHaveAttributeAsync("data-state", "offline");

        await person.Message.FillAsync("sent during a restart");
        await person.Message.PressAsync("Enter");
        await Expect(person.Page.GetByText("No connection. Your message is kept")).ToBeVisibleAsync();
        away = false;

        // It looks again by itself, half a minute later at most.
        await Expect(person.Page.Locator("article[data-role=user]").Last).ToContainTextAsync("sent during a restart", new() { Timeout = 60_000 });
        await Expect(person.Message).ToHaveValueAsync("");
        await person.AnswerBecomesAsync("completed");
        await person.Page.ReloadAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveCountAsync(2);
    }

    [Fact]
    public async Task A_message_whose_acknowledgement_was_lost_is_stored_once()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var lose = true;
        await person.Page.RouteAsync("**/conversations/*/messages", async route =>
        {
            if (!lose)
            {
                await route.ContinueAsync();
                return;
            }

            await route.FetchAsync();
            await route.AbortAsync();
        });

        await person.Message.FillAsync("only once");
        await person.Message.PressAsync("Enter");
        // It is there all the same, and comes with the transcript.
        await Expect(person.Message).ToHaveValueAsync("");

        await person.AnswerBecomesAsync("completed");
        await person.Page.ReloadAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveCountAsync(2);
    }

    [Fact]
    public async Task A_message_that_arrived_before_a_reload_does_not_stand_in_the_box_again()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        // Nothing but the reload tells that it is there.
        await person.Page.RouteAsync("**/realtime/**", route => route.AbortAsync());
        await person.Page.RouteWebSocketAsync("**/realtime", socket => _ = socket.CloseAsync());
        await person.Page.ReloadAsync();
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations/*/messages", answered: true);
        await person.Message.FillAsync("sent once");
        await person.Message.PressAsync("Enter");
        await held.Arrived;

        await person.Page.ReloadAsync();

        await Expect(person.Page.Locator("article[data-role=user]").Last).ToContainTextAsync("sent once");
        await Expect(person.Page.Locator("#composer[data-htmx-powered]")).ToBeVisibleAsync();
        await Expect(person.Message).ToHaveValueAsync("");
        Assert.Equal(0, await person.Page.EvaluateAsync<int>("Object.keys(localStorage).filter(key => key.startsWith('draft:')).length"));
    }

    [Fact]
    public async Task A_message_that_is_worded_anew_after_its_acknowledgement_was_lost_is_sent_as_it_is_worded_now()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        var lose = true;
        await person.Page.RouteAsync("**/conversations", async route =>
        {
            if (!lose || route.Request.Method != "POST")
            {
                await route.ContinueAsync();
                return;
            }

            await route.FetchAsync();
            await route.AbortAsync();
        });
        await person.Message.FillAsync("first wording");
        await person.Message.PressAsync("Enter");
        await Expect(person.Button("Retry")).ToBeVisibleAsync();

        // From here on the first is not tried again by itself.
        await person.Message.FillAsync("second wording");
        lose = false;
        await person.SayAsync("second wording");

        await person.AnswerBecomesAsync("completed");
        await Expect(person.Page.Locator("#conversations")).ToContainTextAsync("first wording", new() { IgnoreCase = true });
        await Expect(person.Page.Locator("#conversations")).ToContainTextAsync("second wording", new() { IgnoreCase = true });
    }

    [Fact]
    public async Task Polling_takes_over_where_sockets_are_blocked()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.Page.RouteWebSocketAsync("**/realtime", socket => _ = socket.CloseAsync());

        await person.SayAsync("markdown");

        await Expect(person.Page.Locator("#connection")).ToHaveAttributeAsync("data-state", "polling", new() { Timeout = 60_000 });
        await Expect(person.LastAnswer).ToHaveAttributeAsync("data-status", "completed", new() { Timeout = 60_000 });
        var read = await person.LastAnswer.Locator("[data-blocks]").InnerHTMLAsync();
        await person.Page.ReloadAsync();
        Assert.Equal(read, await person.LastAnswer.Locator("[data-blocks]").InnerHTMLAsync());
    }

    [Fact]
    public async Task A_cut_in_the_middle_of_an_answer_loses_and_doubles_nothing()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.SayAsync("markdown");
        await Expect(person.LastAnswer).ToContainTextAsync("Heading 1");
        await person.GoOfflineAsync();
        await Expect(person.Page.Locator("#connection")).Not.ToHaveAttributeAsync("data-state", "connected");
        await person.ComeBackAsync();

        await Expect(person.LastAnswer).ToHaveAttributeAsync("data-status", "completed", new() { Timeout = 60_000 });
        var read = await person.LastAnswer.Locator("[data-blocks]").InnerHTMLAsync();
        await person.Page.ReloadAsync();
        Assert.Equal(read, await person.LastAnswer.Locator("[data-blocks]").InnerHTMLAsync());
    }

    [Fact]
    public async Task While_the_server_is_away_one_can_have_it_tried_now()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        var connection = person.Page.Locator("#connection");
        await Expect(connection).ToHaveAttributeAsync("data-state", "connected");
        await Expect(person.Button("Try now")).ToBeHiddenAsync();

        var away = true;
        await person.Page.RouteAsync("**/realtime/**", route => away ? route.AbortAsync() : route.FallbackAsync());
        await person.Page.RouteWebSocketAsync("**/realtime", socket => _ = away ? socket.CloseAsync() : Task.FromResult(socket.ConnectToServer()));
        // Nothing becomes due by itself: once offline, the page asks for nothing unless it is told to.
        await person.Page.Clock.InstallAsync();
        await person.Page.Clock.PauseAtAsync(TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(10));
        await person.Page.ReloadAsync();
        await Expect(connection).ToHaveAttributeAsync("data-state", "offline");
        away = false;
        await person.Button("Try now").ClickAsync();

        await Expect(connection).ToHaveAttributeAsync("data-state", "connected");
    }
}
