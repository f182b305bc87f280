using SevenX42;
using SevenX42.Host;
using SevenX42.Host.Startup;

// A person at a terminal gets one sentence when the process can't start; a fault gets its stack trace.
try
{
    if (await HealthCommand.TryRunAsync(args) is { } health)
        return health;
    await using var host = await ApplicationHost.CreateAsync(args);
    if (await MigrateCommand.TryRunAsync(args, host.App, CancellationToken.None))
        return 0;
    await host.App.PrepareDatabaseAsync(CancellationToken.None);
    await host.RunAsync();
    return 0;
}
catch (Exception e) when (StartupFailure.Describe(e) is { } sentence)
{
    await Console.Error.WriteLineAsync(sentence);
    return 1;
}
