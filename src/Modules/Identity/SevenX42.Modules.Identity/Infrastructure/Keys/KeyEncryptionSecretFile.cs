using System.Security.Cryptography;
using Microsoft.Extensions.Options;

namespace SevenX42.Modules.Identity.Infrastructure.Keys;

/// <summary>The secret in a file: mounted by the operator, or made here once where nobody configures anything.</summary>
internal sealed class KeyEncryptionSecretFile(IOptions<IdentitySettings> settings, IdentityDefaults defaults)
{
    private const string DefaultName = "key-encryption.secret";

    public string Read()
    {
        var path = settings.Value.KeyEncryptionSecretFile is { Length: > 0 } configured
            ? configured
            : Path.Combine(defaults.DataDirectory, DefaultName);
        if (!File.Exists(path) && defaults.MayGenerateSecrets)
            Make(path);
        return File.ReadAllText(path).Trim();
    }

    // Two processes may start on one directory: the file appears complete or not at all, and the first one wins.
    private static void Make(string path)
    {
        var directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        Directory.CreateDirectory(directory);
        var draft = Path.Combine(directory, $".{Path.GetFileName(path)}.{RandomNumberGenerator.GetHexString(16)}");
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using (var writer = new StreamWriter(draft, options))
                writer.WriteLine(Convert.ToBase64String(RandomNumberGenerator.GetBytes(48)));
            File.Move(draft, path, overwrite: false);
        }
        catch (IOException) when (File.Exists(path))
        {
            // The other process was first; its secret is the secret.
        }
        finally
        {
            File.Delete(draft);
        }
    }
}
