namespace SevenX42;

/// <summary>Feature of a request during which a guest was made: the page it came from belongs to nobody yet.</summary>
/// <seealso cref="AllowGuestCreation"/>
public sealed class GuestCreated;
