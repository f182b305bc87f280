using SevenX42.Persistence;

namespace SevenX42.Host.Startup;

/// <summary>The <c>migrate</c> command: applies every module's migrations and exits.</summary>
internal static class MigrateCommand
{
    /// <summary>Runs the command when <paramref name="args"/> ask for it.</summary>
    /// <returns>Whether it ran.</returns>
    public static async Task<bool> TryRunAsync(string[] args, WebApplication app, CancellationToken cancellationToken)
    {
        if (args is not ["migrate", ..])
            return false;
        foreach (var database in app.Services.GetServices<IModuleDatabase>())
        {
            var newer = await database.GetNewerMigrationsAsync(cancellationToken);
            var applied = await database.MigrateAsync(cancellationToken);
            Console.WriteLine(
                applied.Count > 0 ? $"{database.Schema}: applied {string.Join(", ", applied)}"
                : newer.Count > 0 ? $"{database.Schema}: newer than this release by {string.Join(", ", newer)}"
                : $"{database.Schema}: up to date");
        }

        return true;
    }
}
