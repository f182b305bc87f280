using System.Diagnostics;
using Npgsql;

namespace SevenX42.Modules.Identity.Tests;

/// <summary>Counts the commands that one database is sent.</summary>
internal sealed class CommandCount : IDisposable
{
    private readonly ActivityListener _listener;
    private int _count;

    public CommandCount(string database)
    {
        var name = new NpgsqlConnectionStringBuilder(database).Database;
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Npgsql",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if (activity.TagObjects.Any(t => t.Key is "db.query.text" or "db.statement")
                    && activity.TagObjects.Any(t => t.Key is "db.namespace" or "db.name" && Equals(t.Value, name)))
                    Interlocked.Increment(ref _count);
            },
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public int Value => Volatile.Read(ref _count);

    public void Dispose() => _listener.Dispose();
}
