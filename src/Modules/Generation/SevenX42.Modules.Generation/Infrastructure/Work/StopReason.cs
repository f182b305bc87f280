namespace SevenX42.Modules.Generation.Infrastructure.Work;

/// <summary>Why an attempt stops before its provider has finished.</summary>
internal enum StopReason
{
    None,

    /// <summary>Somebody pressed Stop; what is written stays.</summary>
    Cancelled,

    /// <summary>Another worker has the job, or it was deleted: nothing more may be written.</summary>
    LeaseLost,

    /// <summary>The process stops: the job is given back.</summary>
    Shutdown,

    /// <summary>No first token in time.</summary>
    FirstTokenTimeout,

    /// <summary>No further token in time.</summary>
    IdleTimeout,

    /// <summary>The answer takes too long in all.</summary>
    TotalTimeout,

    /// <summary>The answer is too long.</summary>
    OutputLimit,

    /// <summary>The model has finished, but its server does not end the stream.</summary>
    Finished,
}
