namespace SevenX42.Modules.Generation.Domain;

/// <summary>What went wrong, for people and for programs.</summary>
/// <param name="Code">Stable, <c>snake_case</c>.</param>
/// <param name="Message">One sentence for the reader. Never holds a secret or a body.</param>
/// <param name="Retry">Whether trying again, before any text has come, may help.</param>
/// <param name="RetryAfter">When the provider wants to be asked again, if it said so.</param>
internal sealed record GenerationFailure(string Code, string Message, bool Retry = false, TimeSpan? RetryAfter = null);
