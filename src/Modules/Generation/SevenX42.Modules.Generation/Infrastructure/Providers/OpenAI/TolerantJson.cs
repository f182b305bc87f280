using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>
/// Reads JSON of servers that write what is no text: bytes of another encoding, escapes of half a character where a message was
/// cut. The reader lets both pass and throws <see cref="InvalidOperationException"/> only at whoever asks for the string, far
/// from where JSON is expected to be wrong; here each becomes U+FFFD first.
/// </summary>
internal static class TolerantJson
{
    /// <summary>The document. Every string in it can be had.</summary>
    /// <exception cref="JsonException">This is no JSON.</exception>
    public static JsonDocument Parse(ReadOnlySpan<byte> json)
    {
        var bytes = Utf8.IsValid(json) ? json.ToArray() : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json));
        return JsonDocument.Parse(HalfCharacters.MayBeIn(bytes) ? HalfCharacters.Drop(bytes) ?? bytes : bytes);
    }
}
