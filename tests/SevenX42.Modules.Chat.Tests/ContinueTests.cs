using SevenX42.Testing;

namespace SevenX42.Modules.Chat.Tests;

/// <summary>An answer that is written in several parts is one answer.</summary>
public sealed class ContinueTests(PostgresServer postgres)
{
    [Fact]
    public async Task A_continued_answer_has_the_thoughts_of_all_its_parts_while_it_is_written_and_the_sums_of_what_they_cost()
    {
        await using var chat = await ScriptedChat.StartAsync(postgres);
        var id = await chat.Browser.BeginAsync("First");
        await chat.Browser.FinishedAsync(id);
        // The title first: what is enqueued is for the next question.
        await Eventually.TrueAsync(async () => await chat.ScalarAsync<string>("SELECT title_source FROM chat.conversations") == "Automatic");
        var gate = new TaskCompletionSource();
        chat.Provider.Enqueue("scripted", Script.Stream.Role().Think("reasoning", "First thought.").Say("One, ").Finish("length").Usage(10, 5).Done());
        chat.Provider.Enqueue(
            "scripted", Script.Stream.Role().Think("reasoning", "Second thought.").Say("two").Until(gate.Task).Say(".").Finish().Usage(20, 7).Done());
        (await chat.Browser.PostAsync($"/conversations/{id}/messages", ("messageId", ChatBrowser.NewId().ToString()), ("text", "Count"))).EnsureSuccessStatusCode();
        var answer = (await chat.Browser.FinishedAsync(id)).QuerySelectorAll("article")[^1].GetAttribute("data-message")!;
        await chat.ScalarAsync<int>("UPDATE chat.messages SET duration_milliseconds = 1000000 WHERE id = $1 RETURNING 1", Guid.Parse(answer));

        (await chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/continue")).EnsureSuccessStatusCode();

        await Eventually.TrueAsync(async () =>
            (await chat.Browser.PageAsync($"/c/{id}")).QuerySelectorAll("[data-blocks]")[^1].TextContent.Trim() == "One, two");
        Assert.Equal("First thought.\n\nSecond thought.", (await chat.Browser.PageAsync($"/c/{id}")).QuerySelectorAll("[data-think]")[^1].TextContent);
        gate.SetResult();
        Assert.Equal("One, two.", (await chat.TextsAsync(id))[^1]);
        Assert.Equal("First thought.\n\nSecond thought.", await FindAsync<string>("reasoning"));
        Assert.Equal((30, 12), (await FindAsync<long>("input_tokens"), await FindAsync<long>("output_tokens")));
        Assert.InRange(await FindAsync<long>("duration_milliseconds"), 1_000_001, 1_100_000);

        // Begun again, as it is where there is no text, it costs what that costs.
        chat.Provider.Enqueue("scripted", Script.Stream.Role().Say("Again.").Finish().Usage(3, 2).Done());
        await chat.ScalarAsync<int>("UPDATE chat.messages SET status = 'Failed', content = '' WHERE id = $1 RETURNING 1", Guid.Parse(answer));
        (await chat.Browser.PostAsync($"/conversations/{id}/answers/{answer}/retry")).EnsureSuccessStatusCode();
        Assert.Equal("Again.", (await chat.TextsAsync(id))[^1]);
        Assert.Equal(("", 3, 2), (await FindAsync<string>("reasoning"), await FindAsync<long>("input_tokens"), await FindAsync<long>("output_tokens")));
        Assert.InRange(await FindAsync<long>("duration_milliseconds"), 0, 100_000);

        Task<T> FindAsync<T>(string column) => chat.ScalarAsync<T>($"SELECT {column} FROM chat.messages WHERE id = $1", Guid.Parse(answer));
    }
}
