using System.Text.RegularExpressions;
using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>Between pressing Enter and seeing one's message.</summary>
public sealed partial class SendingTests(Chromium chromium, RunningApp app) : IClassFixture<RunningApp>
{
    [Fact]
    public async Task What_is_typed_while_a_message_is_being_sent_is_kept()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations/*/messages");

        await person.Message.FillAsync("slow");
        await person.Message.PressAsync("Enter");
        await held.Arrived;
        await person.Message.PressSequentiallyAsync(" and this came after");
        held.LetGo();

        await Expect(person.Page.Locator("article[data-role=user]").Last).ToHaveTextAsync(new Regex("slow\\s*$"));
        await Expect(person.Message).ToHaveValueAsync("and this came after");
        await person.Stop.ClickAsync();
        await person.AnswerBecomesAsync("stopped");
        await person.Page.ReloadAsync();
        await Expect(person.Message).ToHaveValueAsync("and this came after");
    }

    [Fact]
    public async Task What_is_typed_while_a_conversation_begins_is_kept_for_it()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations");

        await person.Message.FillAsync("slow");
        await person.Message.PressAsync("Enter");
        await held.Arrived;
        await person.Message.PressSequentiallyAsync(" and this came after");
        held.LetGo();

        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveTextAsync(new Regex("slow\\s*$"));
        await Expect(person.Message).ToHaveValueAsync("and this came after");
        await person.Stop.ClickAsync();
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await Expect(person.Message).ToHaveValueAsync("");
    }

    [Fact]
    public async Task The_composer_says_that_it_sends_and_sends_once()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        using var held = await HeldRequests.HoldAsync(person.Page, "**/conversations/*/messages");

        await person.Message.FillAsync("hello again");
        await person.Message.PressAsync("Enter");
        await held.Arrived;

        await Expect(person.Button("Sending…")).ToBeVisibleAsync();
        await Expect(person.Button("Sending…")).ToBeDisabledAsync();
        await person.Message.PressAsync("Enter");
        held.LetGo();
        await Expect(person.Page.Locator("article[data-role=user]").Last).ToContainTextAsync("hello again");
        await person.AnswerBecomesAsync("completed");
        await Expect(person.Send).ToBeVisibleAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToHaveCountAsync(2);
        Assert.Equal(1, held.Count);
    }

    [Fact]
    public async Task A_first_message_leads_to_its_conversation_without_another_page_or_socket()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("completed");
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await person.Page.EvaluateAsync("window.same = true");
        var sockets = 0;
        person.Page.WebSocket += (_, _) => sockets++;

        await person.SayAsync("The second conversation");

        await Expect(person.Page).ToHaveURLAsync(ConversationAddress());
        await person.AnswerBecomesAsync("completed");
        await Expect(person.LastAnswer).ToContainTextAsync("I am the demo model");
        await Expect(person.Page.Locator("#conversations a[aria-current=page]")).ToContainTextAsync("The second conversation");
        await Expect(person.Page).ToHaveTitleAsync(new Regex("The second conversation"));
        Assert.True(await person.Page.EvaluateAsync<bool>("window.same === true"));
        Assert.Equal(0, sockets);
        await person.SayAsync("and a further message");
        await person.AnswerBecomesAsync("completed");
        await person.Page.GoBackAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task A_message_with_a_null_character_is_refused_like_any_other_control_character()
    {
        await using var person = await Person.ArriveAsync(chromium, app.Address);

        await person.Message.FillAsync("nothing\0here");
        await person.Message.PressAsync("Enter");

        await Expect(person.Page.Locator("#composer-notice")).ToContainTextAsync("control characters");
    }

    [GeneratedRegex("/c/[0-9a-f-]{36}$")]
    private static partial Regex ConversationAddress();
}
