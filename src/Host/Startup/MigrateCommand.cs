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
            var pending = await database.GetPendingMigrationsAsync(cancellationToken);
            await database.MigrateAsync(cancellationToken);
            Console.WriteLine(pending.Count == 0 ? $"{database.Schema}: up to date" : $"{database.Schema}: applied {string.Join(", ", pending)}");
        }

        return true;
    }
}
