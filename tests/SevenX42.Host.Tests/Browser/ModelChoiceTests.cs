using Microsoft.Playwright;
using SevenX42.Testing;
using static Microsoft.Playwright.Assertions;

namespace SevenX42.Host.Tests.Browser;

/// <summary>The model that the page names is the one that answers.</summary>
public sealed class ModelChoiceTests(Chromium chromium, PostgresServer postgres) : IAsyncLifetime
{
    private const string LongName = "a-model-whose-name-goes-on-and-on-as-those-of-quantised-files-do-q4-k-m";

    private AppHost? _app;

    public async ValueTask InitializeAsync() =>
        // Nobody listens there, so that every answer fails at once, with the name of the model that was asked.
        _app = await AppHost.StartAsync(
            await postgres.CreateDatabaseAsync(),
            [
                new("Generation:Demo", "false"),
                new("Generation:Providers:0:Name", "test"),
                new("Generation:Providers:0:BaseUrl", "http://127.0.0.1:9/v1"),
                new("Generation:Providers:0:MaxTries", "1"),
                new("Generation:Providers:0:Models:0", "alpha"),
                new("Generation:Providers:0:Models:1", "beta"),
                new("Generation:Providers:0:Models:2", LongName),
            ]);

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
            await _app.DisposeAsync();
    }

    [Fact]
    public async Task Retry_regenerate_and_edit_ask_the_picked_model()
    {
        await using var person = await BeginAsync();
        await Expect(Asked(person)).ToHaveTextAsync("alpha");

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = "beta" });
        await person.Button("Retry").ClickAsync();
        await Expect(Asked(person)).ToHaveTextAsync("beta");
        await person.AnswerBecomesAsync("failed");

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = "alpha" });
        await person.Button("Regenerate").ClickAsync();
        await Expect(person.LastAnswer).ToContainTextAsync("2/2");
        await Expect(Asked(person)).ToHaveTextAsync("alpha");
        await person.AnswerBecomesAsync("failed");

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = LongName });
        await person.Button("Edit").ClickAsync();
        await person.Button("Save and send").ClickAsync();
        await Expect(person.Page.Locator("article[data-role=user]")).ToContainTextAsync("2/2");
        await Expect(Asked(person)).ToHaveTextAsync(LongName);
        await person.AnswerBecomesAsync("failed");
    }

    [Fact]
    public async Task A_model_saved_in_the_settings_shows_in_every_tab_and_answers_the_next_message()
    {
        await using var person = await BeginAsync();
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);

        await person.Settings.ClickAsync();
        var settings = person.Page.GetByRole(AriaRole.Dialog);
        await settings.GetByLabel("Model").SelectOptionAsync(new SelectOptionValue { Label = "beta" });
        await person.Button("Save").ClickAsync();

        foreach (var tab in (IPage[])[person.Page, other])
        {
            await Expect(tab.Locator("#model-name")).ToHaveTextAsync("beta");
            await Expect(Picker(tab).Locator("option:checked")).ToHaveTextAsync("beta");
        }

        await person.SayAsync("once more");
        await Expect(Asked(person)).ToHaveTextAsync("beta");
    }

    [Fact]
    public async Task A_picked_model_is_stored_shows_in_the_other_tab_and_is_offered_for_the_next_conversation()
    {
        await using var person = await BeginAsync();
        var other = await person.OpenTabAsync(new Uri(person.Page.Url).PathAndQuery);

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = "beta" });

        await Expect(other.Locator("#model-name")).ToHaveTextAsync("beta");
        await Expect(Picker(other).Locator("option:checked")).ToHaveTextAsync("beta");
        await person.Button("New chat").ClickAsync();
        await Expect(person.Page.Locator("article")).ToHaveCountAsync(0);
        await Expect(person.Page.Locator("#model-name")).ToHaveTextAsync("beta");
        await person.SayAsync("with the model I used last");
        await Expect(Asked(person)).ToHaveTextAsync("beta");
    }

    [Fact]
    public async Task A_long_name_leaves_the_buttons_their_size_on_a_phone_and_a_short_one_leaves_no_gap()
    {
        await using var person = await Person.ArriveAsync(chromium, _app!.Address, options: Person.Phone);

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = LongName });
        var send = (await person.Send.BoundingBoxAsync())!;
        Assert.Equal(44, send.Width);
        Assert.Equal(44, send.Height);
        Assert.True(send.X + send.Width <= 390);

        await Picker(person.Page).SelectOptionAsync(new SelectOptionValue { Label = "beta" });
        Assert.InRange((await Picker(person.Page).BoundingBoxAsync())!.Width, 40, 110);
    }

    private async Task<Person> BeginAsync()
    {
        var person = await Person.ArriveAsync(chromium, _app!.Address);
        await person.SayAsync("hello");
        await person.AnswerBecomesAsync("failed");
        return person;
    }

    private static ILocator Picker(IPage page) => page.Locator("#composer select");

    private static ILocator Asked(Person person) => person.LastAnswer.Locator("h2");
}
