using System.Diagnostics;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Time.Testing;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Generation.Infrastructure.Providers.Demo;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>The demo model: honest, useful, and it exercises everything an answer can hold.</summary>
public sealed class DemoTests(PostgresServer postgres)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("")]
    [InlineData("Hello!")]
    [InlineData("Write me a poem about markdown tables and think slow")]
    [InlineData("long")]
    public void It_says_first_that_it_is_no_language_model(string prompt) =>
        Assert.StartsWith(
            "**I am the demo model: a script that comes with 7x42, not a language model.**", DemoAnswers.For(prompt).Text, StringComparison.Ordinal);

    [Fact]
    public void It_tells_how_to_connect_a_model()
    {
        var text = DemoAnswers.For("What is this?").Text;
        Assert.Contains("ollama pull", text, StringComparison.Ordinal);
        Assert.Contains("Generation__Providers__0__BaseUrl", text, StringComparison.Ordinal);
        Assert.Contains("it has 3 words", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\n# ")]
    [InlineData("\n#### ")]
    [InlineData("**bold**")]
    [InlineData("*italic*")]
    [InlineData("~~struck through~~")]
    [InlineData("`inline code`")]
    [InlineData("](https://example.com")]
    [InlineData("\n> A quote")]
    [InlineData("\n> > ")]
    [InlineData("\n---\n")]
    [InlineData("\n1. ")]
    [InlineData("\n   - ")]
    [InlineData("\n- [x] ")]
    [InlineData("\n- [ ] ")]
    [InlineData("\n|:---|---:|:---:|---|")]
    [InlineData("\n```csharp\n")]
    [InlineData("\n```python\n")]
    [InlineData("\n```json\n")]
    [InlineData("\n```bash\n")]
    [InlineData("\n```\n")]
    public void Every_element_of_markdown_is_in_it_on_request(string element) =>
        Assert.Contains(element, DemoAnswers.For("show me MARKDOWN").Text, StringComparison.Ordinal);

    [Fact]
    public void A_long_answer_has_two_thousand_words() =>
        Assert.InRange(DemoAnswers.For("a long one, please").Text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length, 1900, 2600);

    [Fact]
    public void Reasoning_is_shown_on_request_only()
    {
        Assert.NotEmpty(DemoAnswers.For("Think about it").Reasoning);
        Assert.Empty(DemoAnswers.For("Hello").Reasoning);
    }

    [Theory]
    [InlineData("how do I bake rye bread at home?", "How do I bake rye bread")]
    [InlineData("  # Hello   **world**  ", "Hello world")]
    [InlineData("", "New chat")]
    [InlineData("```\n", "New chat")]
    [InlineData("\nthe first line counts!\n\nand no other", "The first line counts")]
    public void A_title_is_made_of_the_persons_own_words(string prompt, string title) => Assert.Equal(title, DemoAnswers.Title(prompt));

    [Theory]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀")]
    public void A_title_is_short_and_whole(string prompt)
    {
        var title = DemoAnswers.Title(prompt);
        Assert.InRange(title.Length, 1, 60);
        Assert.Equal(title, Domain.StreamedText.Clean(title));
    }

    [Fact]
    public async Task It_keeps_its_pace()
    {
        var time = new FakeTimeProvider();
        using var client = new DemoChatClient(50, time);
        await using var stream = client.GetStreamingResponseAsync([new(ChatRole.User, "Hello")], null, Cancelled).GetAsyncEnumerator(Cancelled);
        Assert.True(await stream.MoveNextAsync());
        for (var i = 0; i < 20; i++)
        {
            var next = stream.MoveNextAsync();
            Assert.False(next.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(19));
            Assert.False(next.IsCompleted);
            time.Advance(TimeSpan.FromMilliseconds(1));
            Assert.True(await next);
        }
    }

    [Fact]
    public async Task It_goes_on_where_an_answer_breaks_off()
    {
        await using var host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());
        var whole = DemoAnswers.For("code").Text;
        var finished = await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request("code", prefix: whole[..500])));
        Assert.Equal((GenerationStatus.Completed, whole), (finished.Status, finished.Text));
        var foreign = await host.FinishAsync(await host.DeliverAsync(GenerationHost.Request("code", prefix: "Once upon a time")));
        Assert.StartsWith("Once upon a time\n\n(This was not my text", foreign.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stopped_slow_answer_keeps_what_was_there()
    {
        await using var host = await GenerationHost.StartAsync(await postgres.CreateDatabaseAsync());
        var request = await host.DeliverAsync(GenerationHost.Request("slow"));
        await host.UntilReadAsync(request, r => r.Deltas.Count() > 2, "a few tokens are read");
        var pressed = Stopwatch.GetTimestamp();
        await host.Api.CancelAsync(request.GenerationId, Cancelled);
        var finished = await host.FinishAsync(request);
        Assert.InRange(Stopwatch.GetElapsedTime(pressed), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(GenerationStatus.Stopped, finished.Status);
        Assert.NotEmpty(finished.Text);
    }
}
