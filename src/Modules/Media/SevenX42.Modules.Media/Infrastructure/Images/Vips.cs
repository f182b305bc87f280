using Microsoft.Extensions.Options;
using NetVips;

namespace SevenX42.Modules.Media.Infrastructure.Images;

/// <summary>How libvips is set up, for the whole process and once.</summary>
internal static class Vips
{
    /// <summary>The decoders that stay; libvips has many more, some of which run a language or open other files.</summary>
    private static readonly string[] Decoders =
        ["VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadNsgif", "VipsForeignLoadHeif"];

    // Kept alive: libvips calls it as long as the process lives.
    private static readonly Log.LogDelegate Silence = static (_, _, _) => { };

    private static readonly Lazy<bool> Once = new(SetUp);

    /// <summary>Sets it up, unless that was done.</summary>
    public static void Configure() => _ = Once.Value;

    private static bool SetUp()
    {
        NetVips.NetVips.BlockUntrusted = true;
        Operation.Block("VipsForeignLoad", true);
        foreach (var decoder in Decoders)
            Operation.Block(decoder, false);
        // No picture is decoded twice, and none of anybody's stays in memory.
        Cache.Max = 0;
        // Several pictures at once are what the processors are for, not several threads for one.
        NetVips.NetVips.Concurrency = 1;
        // It complains on the standard error about every damaged line; what matters comes as an exception.
        _ = Log.SetLogHandler("VIPS", Enums.LogLevelFlags.Warning, Silence);
        return true;
    }
}

/// <summary>Refuses a start after which no picture could be read: libvips, or something it needs, is missing.</summary>
internal sealed class VipsValidator : IValidateOptions<MediaOptions>
{
    public ValidateOptionsResult Validate(string? name, MediaOptions options) => ModuleInitializer.VipsInitialized
        ? ValidateOptionsResult.Success
        : ValidateOptionsResult.Fail(
            "The library that reads and writes pictures, libvips, can't be loaded; install what it misses. "
            + ModuleInitializer.Exception?.GetBaseException().Message.ReplaceLineEndings(" ").Trim());
}
