using System.Diagnostics;
using System.Runtime.InteropServices;

namespace SevenX42.Postgres;

/// <summary>What PostgreSQL's signals mean to it.</summary>
internal enum ServerSignal
{
    /// <summary>SIGINT: roll back, write everything, end.</summary>
    FastShutdown = 2,

    /// <summary>SIGQUIT: end now; the next start recovers.</summary>
    ImmediateShutdown = 3,

    /// <summary>SIGKILL.</summary>
    Kill = 9,
}

internal static partial class ServerProcess
{
    /// <summary>Sends a signal. Windows has none, so there every signal ends the process and the next start recovers.</summary>
    /// <returns><see langword="false"/> when there is no such process.</returns>
    public static bool Signal(int id, ServerSignal signal)
    {
        if (!OperatingSystem.IsWindows())
            return SendSignal(id, (int)signal) == 0;
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill(entireProcessTree: true);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int pid, int signal);
}
