using SevenX42.Realtime;
using SevenX42.Testing;

namespace SevenX42.BuildingBlocks.Tests.Channels;

/// <summary>What the start makes of a Redis that does not do what it should.</summary>
public sealed class RedisStartTests
{
    [Theory]
    [InlineData("", "Redis refuses the user or password of ConnectionStrings__Redis.")]
    [InlineData(",password=wrong", "Redis refuses the user or password of ConnectionStrings__Redis.")]
    [InlineData(",user=nobody,password=secret", "Redis refuses the user or password of ConnectionStrings__Redis.")]
    [InlineData(",user=weak,password=secret", "Redis does not let the user of ConnectionStrings__Redis do what is needed.")]
    [InlineData(",user=timeless,password=secret", "Redis does not let the user of ConnectionStrings__Redis do what is needed.")]
    [InlineData(",password=secret,ssl=true", "The Redis in ConnectionStrings__Redis does not speak TLS. Remove ssl=true, or name the port where it does.")]
    public async Task A_redis_that_refuses_ends_the_start_with_what_to_change(string options, string sentence)
    {
        await using var redis = await RedisProcess.StartAsync(
            "--requirepass", "secret", "--user", "weak", "on", ">secret", "~*", "&*", "+@all", "-info",
            "--user", "timeless", "on", ">secret", "~*", "&*", "+@all", "-time");
        await using var process = new RedisLog(redis.Address + options, RedisLog.NewPrefix());

        var refused = await Assert.ThrowsAsync<RedisRefusedException>(process.StartAsync);

        Assert.StartsWith(sentence, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "The Redis in ConnectionStrings__Redis speaks TLS. Add ssl=true, or name the port where it does not.")]
    [InlineData(",ssl=true", "The TLS of the Redis in ConnectionStrings__Redis is not accepted: ")]
    public async Task A_redis_whose_tls_does_not_fit_ends_the_start_with_what_to_change(string options, string sentence)
    {
        await using var redis = await RedisProcess.StartWithTlsAsync();
        await using var process = new RedisLog(redis.Address + options, RedisLog.NewPrefix());

        var refused = await Assert.ThrowsAsync<RedisRefusedException>(process.StartAsync);

        Assert.StartsWith(sentence, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData(",ssl=true")]
    public async Task A_redis_that_does_not_answer_is_waited_for(string options)
    {
        await using var redis = await RedisProcess.StartAsync();
        await redis.KillAsync();
        await using var process = new RedisLog(redis.Address + options, RedisLog.NewPrefix());

        await process.StartAsync();

        await Assert.ThrowsAsync<ChannelLogUnavailableException>(async () =>
            await process.Log.GetPositionAsync("c/1", TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("redis:6379", true)]
    [InlineData("redis", true)]
    [InlineData("a:1,b:2,password=secret,ssl=true,abortConnect=true", true)]
    [InlineData("password=secret", false)]
    [InlineData("redis:6379,passwort=secret", false)]
    [InlineData("redis:6379,ssl=perhaps", false)]
    [InlineData("redis://user:secret@redis:6379/0", false)]
    public void A_connection_string_is_one_of_stack_exchange_redis(string text, bool isValid) =>
        Assert.Equal(isValid, RedisConnectionString.IsValid(text));
}
