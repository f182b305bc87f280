using SevenX42.Modules.Generation.Domain;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.OpenAI;

/// <summary>A provider's answer that is no answer, already in the reader's words.</summary>
internal sealed class ProviderFault(GenerationFailure failure, Exception? innerException = null) : Exception(failure.Code, innerException)
{
    public GenerationFailure Failure { get; } = failure;
}
