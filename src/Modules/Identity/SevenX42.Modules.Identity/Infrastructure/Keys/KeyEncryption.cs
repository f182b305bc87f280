using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Identity.Infrastructure.Keys;

/// <summary>
/// Encrypts what other keys are made of before it goes into the database: AES-256-GCM under a key derived from the
/// operator's secret, so that a copy of the database alone forges no cookie and no token.
/// </summary>
internal sealed class KeyEncryption
{
    private const byte Format = 1;
    private const int IdLength = 8;

    // The first is for encrypting; all are for decrypting.
    private readonly (byte[] Id, byte[] Key)[] _keys;

    public KeyEncryption(IOptions<IdentitySettings> settings, KeyEncryptionSecretFile file)
        : this([settings.Value.KeyEncryptionSecret is { Length: > 0 } secret ? secret : file.Read(), .. settings.Value.PreviousKeyEncryptionSecrets])
    {
    }

    internal KeyEncryption(IReadOnlyList<string> secrets) => _keys = [.. secrets.Select(Derive)];

    public byte[] Encrypt(ReadOnlySpan<byte> plain)
    {
        var (id, key) = _keys[0];
        var output = new byte[1 + IdLength + AesGcm.NonceByteSizes.MaxSize + AesGcm.TagByteSizes.MaxSize + plain.Length];
        output[0] = Format;
        id.CopyTo(output.AsSpan(1));
        var nonce = output.AsSpan(1 + IdLength, AesGcm.NonceByteSizes.MaxSize);
        var tag = output.AsSpan(1 + IdLength + nonce.Length, AesGcm.TagByteSizes.MaxSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key, tag.Length);
        aes.Encrypt(nonce, plain, output.AsSpan(1 + IdLength + nonce.Length + tag.Length), tag, output.AsSpan(0, 1 + IdLength));
        return output;
    }

    /// <exception cref="CryptographicException">Another secret encrypted it, or it was changed.</exception>
    public byte[] Decrypt(ReadOnlySpan<byte> input)
    {
        const int header = 1 + IdLength;
        var body = header + AesGcm.NonceByteSizes.MaxSize + AesGcm.TagByteSizes.MaxSize;
        if (input.Length < body || input[0] != Format)
            throw new CryptographicException("This is no key that was encrypted here.");
        foreach (var (id, key) in _keys)
        {
            if (!input.Slice(1, IdLength).SequenceEqual(id))
                continue;
            var plain = new byte[input.Length - body];
            var nonce = input.Slice(header, AesGcm.NonceByteSizes.MaxSize);
            var tag = input.Slice(header + nonce.Length, AesGcm.TagByteSizes.MaxSize);
            using var aes = new AesGcm(key, tag.Length);
            aes.Decrypt(nonce, input[body..], tag, plain, input[..header]);
            return plain;
        }

        throw new CryptographicException("The key was encrypted with another secret.");
    }

    // The id tells which secret was used and nothing about it.
    private static (byte[] Id, byte[] Key) Derive(string secret)
    {
        var material = Encoding.UTF8.GetBytes(secret);
        return (
            HKDF.DeriveKey(HashAlgorithmName.SHA256, material, IdLength, info: "7x42 key encryption: id"u8.ToArray()),
            HKDF.DeriveKey(HashAlgorithmName.SHA256, material, 32, info: "7x42 key encryption: key"u8.ToArray()));
    }
}
