namespace SevenX42.Modules.Generation.Infrastructure.Providers;

/// <summary>Which API a server speaks.</summary>
internal enum ProviderKind
{
    /// <summary>OpenAI's, or one that is compatible with it: models that write, and with <c>images/generations</c> models that draw.</summary>
    OpenAI,

    /// <summary>The Stable Diffusion WebUI's (AUTOMATIC1111, Forge, SD.Next): models that draw.</summary>
    WebUI,

    /// <summary>ComfyUI's: models that draw.</summary>
    ComfyUI,
}
