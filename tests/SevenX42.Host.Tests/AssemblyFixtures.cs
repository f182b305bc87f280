using SevenX42.Host.Tests.Browser;
using SevenX42.Testing;

[assembly: AssemblyFixture(typeof(PostgresServer))]
[assembly: AssemblyFixture(typeof(Chromium))]
