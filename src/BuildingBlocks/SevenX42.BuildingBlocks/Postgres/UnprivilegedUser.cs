using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace SevenX42.Postgres;

/// <summary>
/// Whom PostgreSQL runs as when this process is root, which PostgreSQL refuses: the system's <c>postgres</c> when there is
/// one, else <c>nobody</c>.
/// </summary>
internal sealed partial record UnprivilegedUser(string Name, uint UserId, uint GroupId)
{
    private const string FoldersOfRoot = "/var/lib/7x42";

    /// <summary>The user, or <see langword="null"/> when this process is not root and needs none.</summary>
    public static UnprivilegedUser? Find()
    {
        if (OperatingSystem.IsWindows() || EffectiveUserId() != 0)
            return null;
        var accounts = File.ReadLines("/etc/passwd").Select(Parse).OfType<UnprivilegedUser>().ToList();
        return accounts.Find(a => a.Name == "postgres") ?? accounts.Find(a => a.Name == "nobody") ?? new UnprivilegedUser("nobody", 65534, 65534);
    }

    /// <summary>Whether the user can enter every folder above <paramref name="path"/>; <c>/root</c> is closed to it.</summary>
    public static bool CanReach(string path)
    {
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (Directory.Exists(folder) && !OperatingSystem.IsWindows()
                && (File.GetUnixFileMode(folder) & UnixFileMode.OtherExecute) == 0)
                return false;
        }

        return true;
    }

    /// <summary>A folder that the user can reach and that belongs to <paramref name="path"/> alone.</summary>
    public static string PrivateFolderFor(string path) =>
        Path.Combine(FoldersOfRoot, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..16]);

    /// <summary>Gives a file or folder to the user.</summary>
    /// <exception cref="IOException">The file system refuses.</exception>
    public void Own(string path)
    {
        if (ChangeOwner(path, UserId, GroupId) != 0)
            throw new IOException($"{path} can't be given to the user {Name}: error {Marshal.GetLastPInvokeError()}.");
    }

    // Not every line is an account with numbers that fit: there are comments, and ids of -2 on macOS.
    private static UnprivilegedUser? Parse(string line) =>
        line.Split(':') is [var name, _, var user, var group, ..]
        && uint.TryParse(user, NumberStyles.None, CultureInfo.InvariantCulture, out var userId)
        && uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out var groupId)
            ? new UnprivilegedUser(name, userId, groupId)
            : null;

    [LibraryImport("libc", EntryPoint = "geteuid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial uint EffectiveUserId();

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int ChangeOwner(string path, uint owner, uint group);
}
