namespace SevenX42.Pipeline;

/// <summary>Marks a request that changes something: its unit of work is saved when the handler succeeds.</summary>
public interface ICommand;

/// <summary>Marks a request that changes nothing.</summary>
public interface IQuery;
