using System.Net;
using SevenX42.Modules.Generation.Domain.Images;
using SevenX42.Modules.Generation.Infrastructure;
using SevenX42.Modules.Generation.Infrastructure.Providers;
using SevenX42.Modules.Generation.Infrastructure.Providers.Images;

namespace SevenX42.Modules.Generation.Tests.Images;

public sealed class ImageRequestTests
{
    private static readonly ImageCapabilities All = new([new(512, 512), new(768, 512)], 4, 1000, uint.MaxValue, true, new StepRange(1, 50, 20), true, true);

    private static readonly ImageRequest Good = new("m", "a boat", new(512, 512), 4, uint.MaxValue, "people", 50);

    public static TheoryData<string, string> Bad { get; } = new()
    {
        { "empty", "what the picture shall show" },
        { "long", "20,000 characters" },
        { "nothing", "0×0" },
        { "enormous", "20000×20000 pixels; choose 512×512, 768×512" },
        { "none", "1 to 4" },
        { "five", "1 to 4" },
        { "negative seed", "0 to 4294967295" },
        { "great seed", "0 to 4294967295" },
        { "no steps", "1 to 50" },
        { "many steps", "1 to 50" },
        { "long negative", "20,000 characters" },
    };

    [Theory]
    [MemberData(nameof(Bad))]
    public void Bad_input_is_one_clear_sentence(string what, string words)
    {
        Assert.Null(All.Check(Good));
        var failure = All.Check(what switch
        {
            "empty" => Good with { Prompt = " \n" },
            "long" => Good with { Prompt = new string('x', 20_000) },
            "nothing" => Good with { Size = new(0, 0) },
            "enormous" => Good with { Size = new(20_000, 20_000) },
            "none" => Good with { Count = 0 },
            "five" => Good with { Count = 5 },
            "negative seed" => Good with { Seed = -1 },
            "great seed" => Good with { Seed = uint.MaxValue + 1L },
            "no steps" => Good with { Steps = 0 },
            "many steps" => Good with { Steps = 51 },
            _ => Good with { NegativePrompt = new string('x', 20_000) },
        });
        Assert.Equal((what, "invalid_image_request"), (what, failure?.Code));
        Assert.Contains(words, failure!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_model_can_t_be_told_is_refused()
    {
        var plain = All with { MaxSeed = null, HasNegativePrompt = false, Steps = null };
        var bare = new ImageRequest("m", "a boat", new(512, 512));
        Assert.Null(plain.Check(bare));
        Assert.Equal("This model knows no seeds.", plain.Check(bare with { Seed = 0 })?.Message);
        Assert.Equal("This model can't be told what to leave out.", plain.Check(bare with { NegativePrompt = "people" })?.Message);
        Assert.Equal("This model decides for itself how many steps it takes.", plain.Check(bare with { Steps = 20 })?.Message);
    }

    [Theory]
    [InlineData("OpenAI", null, 64)]
    [InlineData("WebUI", null, 1)]
    [InlineData("ComfyUI", null, 1)]
    [InlineData("ComfyUI", 3, 3)]
    public void As_many_are_asked_for_at_once_as_is_said_or_usual_for_the_kind_of_server(string kind, int? said, int expected) => Assert.Equal(
        expected, ProviderLimits.From(new ProviderOptions { Kind = Enum.Parse<ProviderKind>(kind), MaxConcurrent = said }).MaxConcurrent);

    [Theory]
    [InlineData("127.0.0.1", false)]
    [InlineData("10.1.2.3", false)]
    [InlineData("172.31.255.255", false)]
    [InlineData("172.32.0.1", true)]
    [InlineData("192.168.0.1", false)]
    [InlineData("169.254.169.254", false)]
    [InlineData("100.64.0.1", false)]
    [InlineData("0.0.0.0", false)]
    [InlineData("224.0.0.1", false)]
    [InlineData("255.255.255.255", false)]
    [InlineData("8.8.8.8", true)]
    [InlineData("::1", false)]
    [InlineData("::", false)]
    [InlineData("::ffff:127.0.0.1", false)]
    [InlineData("::ffff:169.254.169.254", false)]
    [InlineData("::ffff:8.8.8.8", true)]
    [InlineData("64:ff9b::a00:1", false)]
    [InlineData("64:ff9b::808:808", true)]
    [InlineData("2002:7f00:1::", false)]
    [InlineData("fe80::1", false)]
    [InlineData("fd00:ec2::254", false)]
    [InlineData("2001:db8::1", false)]
    [InlineData("2001:4860:4860::8888", true)]
    public void Only_addresses_of_the_public_internet_are_public(string address, bool isPublic) =>
        Assert.Equal(isPublic, PublicAddress.Is(IPAddress.Parse(address)));
}
