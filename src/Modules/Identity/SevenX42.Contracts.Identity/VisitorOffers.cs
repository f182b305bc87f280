namespace SevenX42.Contracts.Identity;

/// <summary>What this installation offers to whoever has no account; a singleton service.</summary>
/// <param name="Guests">Whether they may chat without one.</param>
/// <param name="SignUp">Whether they may make one.</param>
public sealed record VisitorOffers(bool Guests, bool SignUp);
