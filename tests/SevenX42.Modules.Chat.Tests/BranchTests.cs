using AngleSharp.Dom;
using AngleSharp.Html.Dom;
using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>Whatever a person does to a conversation's tree, a whole branch is shown and no message is lost.</summary>
public sealed class BranchTests(PostgresServer postgres)
{
    private const int Steps = 14;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_whole_branch_is_shown_and_every_message_can_be_reached(int seed)
    {
        var random = new Random(seed);
        await using var provider = await ScriptedProvider.StartAsync();
        provider.Script("scripted", _ => Script.Answer("An answer."));
        await using var app = await AppHost.StartAsync(await postgres.CreateDatabaseAsync(), new Dictionary<string, string?>
        {
            ["Generation:Providers:0:Name"] = "test",
            ["Generation:Providers:0:BaseUrl"] = provider.BaseUrl.ToString(),
            ["RateLimits:CommandsPerMinute"] = "100000",
        });
        using var browser = new ChatBrowser(app);
        var conversation = await browser.BeginAsync("First", model: "test/scripted");
        var page = await browser.FinishedAsync(conversation);

        // Every message there ever was, by its parent; the page told of each when it was new.
        var tree = new Dictionary<string, string>();
        Learn(page, tree);
        for (var step = 0; step < Steps; step++)
        {
            var shown = page.QuerySelectorAll("article").ToList();
            var expected = await ActAsync(browser, conversation, shown, tree, random);
            page = await browser.FinishedAsync(conversation);
            Learn(page, tree);
            Check(page, tree, expected);
        }

        Assert.InRange(tree.Count, 8, 100);
        foreach (var message in tree.Keys)
        {
            using var selected = await browser.PostAsync($"/conversations/{conversation}/branch", ("messageId", message));
            page = await browser.FinishedAsync(conversation);
            Check(page, tree, message);
        }
    }

    /// <summary>Does something, and returns a message that must be shown after it; null when it is a new one.</summary>
    private static async Task<string?> ActAsync(
        ChatBrowser browser, Guid conversation, List<IElement> shown, Dictionary<string, string> tree, Random random)
    {
        var question = Id(shown[2 * random.Next(shown.Count / 2)]);
        var answer = Id(shown[1 + (2 * random.Next(shown.Count / 2))]);
        var root = $"/conversations/{conversation}";
        var any = tree.Keys.ElementAt(random.Next(tree.Count));
        using var response = random.Next(5) switch
        {
            0 => await browser.PostAsync($"{root}/messages/{question}/edit", ("newMessageId", ChatBrowser.NewId().ToString()), ("text", "Edited")),
            1 => await browser.PostAsync($"{root}/answers/{answer}/regenerate", ("model", "")),
            2 or 3 => await browser.PostAsync($"{root}/branch", ("messageId", any)),
            _ => await browser.PostAsync($"{root}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "More")),
        };
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        return response.RequestMessage!.RequestUri!.AbsolutePath.EndsWith("/branch", StringComparison.Ordinal) ? any : null;
    }

    private static void Learn(IHtmlDocument page, Dictionary<string, string> tree)
    {
        var parent = "";
        foreach (var article in page.QuerySelectorAll("article"))
        {
            // A message never moves.
            if (!tree.TryAdd(Id(article), parent))
                Assert.Equal(tree[Id(article)], parent);
            parent = Id(article);
        }
    }

    private static void Check(IHtmlDocument page, Dictionary<string, string> tree, string? mustShow)
    {
        var shown = page.QuerySelectorAll("article").ToList();
        Assert.Equal(shown.Select((_, i) => i % 2 == 0 ? "user" : "assistant"), shown.Select(a => a.GetAttribute("data-role")));
        Assert.DoesNotContain(Id(shown[^1]), tree.Values);
        if (mustShow is not null)
            Assert.Contains(mustShow, shown.Select(Id));
        foreach (var article in shown)
        {
            var siblings = tree.Count(m => m.Value == tree[Id(article)]);
            var text = article.TextContent;
            if (siblings == 1)
                Assert.Empty(article.QuerySelectorAll("[aria-label='Next version'], [aria-label='Previous version']"));
            else
                Assert.Contains($"/{siblings}", text, StringComparison.Ordinal);
        }
    }

    private static string Id(IElement article) => article.GetAttribute("data-message")!;
}
