using System.Text;
using SevenX42.Testing;

namespace SevenX42.Modules.Generation.Tests;

/// <summary>What tests take for granted of the server that they script.</summary>
public sealed class ScriptedProviderTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_sent_before_the_connection_broke_is_always_read()
    {
        const int Count = 5_000;
        await using var provider = await ScriptedProvider.StartAsync();
        provider.Script("m", Script.Stream.Role().Say(new string('#', Count)).Cut());
        using var http = new HttpClient();
        for (var i = 0; i < 200; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(provider.BaseUrl, "/v1/chat/completions"))
            {
                Content = new StringContent("""{"model":"m","messages":[]}""", Encoding.UTF8, "application/json"),
            };
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
            using var read = new MemoryStream();
            var body = await response.Content.ReadAsStreamAsync(Cancel);

            await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(read, Cancel));

            Assert.Equal(Count, Encoding.UTF8.GetString(read.ToArray()).Count(c => c == '#'));
        }
    }
}
