using Microsoft.Extensions.Options;
using SevenX42.Testing;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>The secret that protects the keys in the database.</summary>
public sealed class SecretTests(PostgresServer postgres)
{
    [Theory]
    [InlineData("", "is missing")]
    [InlineData("f3a9c1e7b5d2f3a9c1e7b5d2", "is shorter than 32 bytes")]
    [InlineData("change-me-f3a9c1e7b5d2f3a9c1e7b5d2", "looks like a placeholder")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "looks like a placeholder")]
    public async Task Production_does_not_start_with_a_secret_that_is_missing_or_a_default(string secret, string reason)
    {
        var refused = await Assert.ThrowsAsync<OptionsValidationException>(
            () => IdentityHost.StartAsync(postgres, ("Environment", "Production"), ("Identity:KeyEncryptionSecret", secret)));

        var sentence = Assert.Single(refused.Failures);
        Assert.Contains("Identity__KeyEncryptionSecret", sentence, StringComparison.Ordinal);
        Assert.Contains(reason, sentence, StringComparison.Ordinal);
        if (secret.Length > 0)
            Assert.DoesNotContain(secret, sentence, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_secret_than_the_one_that_protects_the_keys_is_refused_and_not_replaced()
    {
        await using (var first = await IdentityHost.StartAsync(postgres))
        {
            await Assert.ThrowsAsync<OptionsValidationException>(
                () => first.StartReplicaAsync(("Identity:KeyEncryptionSecret", "of-another-replica-9c1e7b5d2f3a-4be1a6")));
        }
    }
}
