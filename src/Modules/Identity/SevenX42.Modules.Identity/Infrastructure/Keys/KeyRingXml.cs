using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.DataProtection.XmlEncryption;
using Microsoft.Extensions.DependencyInjection;

namespace SevenX42.Modules.Identity.Infrastructure.Keys;

/// <summary>Encrypts the data protection key ring. Its decryptor's class name is stored with every key: don't rename it.</summary>
internal sealed class KeyRingXmlEncryptor(KeyEncryption encryption) : IXmlEncryptor
{
    public const string Element = "encryptedKey";

    public EncryptedXmlInfo Encrypt(XElement plaintextElement)
    {
        var plain = Encoding.UTF8.GetBytes(plaintextElement.ToString(SaveOptions.DisableFormatting));
        return new EncryptedXmlInfo(
            new XElement(Element, Convert.ToBase64String(encryption.Encrypt(plain))), typeof(KeyRingXmlDecryptor));
    }
}

/// <summary>Made by data protection, which passes it the services.</summary>
internal sealed class KeyRingXmlDecryptor : IXmlDecryptor
{
    private readonly KeyEncryption _encryption;

    public KeyRingXmlDecryptor(IServiceProvider services) => _encryption = services.GetRequiredService<KeyEncryption>();

    public XElement Decrypt(XElement encryptedElement) =>
        XElement.Parse(Encoding.UTF8.GetString(_encryption.Decrypt(Convert.FromBase64String(encryptedElement.Value))));
}
