using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace SevenX42.Testing;

/// <summary>A local <c>redis-server</c> on a free port of 127.0.0.1, to be stopped, started again and held up.</summary>
public sealed class RedisProcess : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("7x42-redis-");
    private readonly string[] _listening;
    private readonly string[] _arguments;
    private Process? _process;

    private RedisProcess(bool tls, string[] arguments)
    {
        _arguments = arguments;
        _listening = tls ? ["--port", "0", "--tls-port", $"{Port}", .. MakeCertificate(), "--tls-auth-clients", "no"] : ["--port", $"{Port}"];
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; } = HostProcess.FreePort();

    /// <summary>Where it listens, as <c>host:port</c>.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>Starts one and waits until it answers.</summary>
    public static async Task<RedisProcess> StartAsync(params string[] arguments)
    {
        var redis = new RedisProcess(tls: false, arguments);
        await redis.StartAgainAsync();
        return redis;
    }

    /// <summary>The certificate of one that speaks TLS, which nobody trusts who is not told to.</summary>
    public string CertificateFile => Path.Combine(_directory.FullName, "redis.crt");

    /// <summary>Starts one that speaks TLS.</summary>
    public static async Task<RedisProcess> StartWithTlsAsync(params string[] arguments)
    {
        var redis = new RedisProcess(tls: true, arguments);
        await redis.StartAgainAsync();
        return redis;
    }

    /// <summary>Starts it again with what it saved.</summary>
    public async Task StartAgainAsync()
    {
        _process?.Dispose();
        var start = new ProcessStartInfo("redis-server") { WorkingDirectory = _directory.FullName, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[.. _listening, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", .. _arguments])
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.TrueAsync(
            async () =>
            {
                if (_process.HasExited)
                    throw new InvalidOperationException($"redis-server ended with {_process.ExitCode}.");
                return await CommandAsync("PING") is "PONG" or "NOAUTH Authentication required.";
            },
            Limit);
    }

    /// <summary>Ends it as a power cut would.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Holds it up: it keeps its connections and answers nothing.</summary>
    public Task HoldUpAsync() => RunAsync("kill", ["-STOP", $"{_process!.Id}"]);

    /// <summary>Lets it go on.</summary>
    public Task GoOnAsync() => RunAsync("kill", ["-CONT", $"{_process!.Id}"]);

    /// <summary>Gives it a command and returns the answer, as <c>redis-cli</c> prints it.</summary>
    public Task<string> CommandAsync(params string[] command) =>
        CliAsync(["-p", $"{Port}", .. _listening.Contains("--tls-port") ? ["--tls", "--insecure"] : Array.Empty<string>(), .. command]);

    /// <summary>How often a command was called, from outside and by scripts.</summary>
    public async Task<long> CallsAsync(string command)
    {
        var prefix = $"cmdstat_{command}:calls=";
        var line = (await CommandAsync("INFO", "commandstats")).Split('\n').FirstOrDefault(l => l.StartsWith(prefix, StringComparison.Ordinal));
        return line is null ? 0 : long.Parse(line[prefix.Length..line.IndexOf(',', StringComparison.Ordinal)], CultureInfo.InvariantCulture);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            await KillAsync();
        _process?.Dispose();
        _directory.Delete(recursive: true);
    }

    internal static Task<string> CliAsync(string[] arguments) => RunAsync("redis-cli", arguments);

    private string[] MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var now = TimeProvider.System.GetUtcNow();
        var request = new CertificateRequest("CN=redis.test", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        var keyFile = Path.Combine(_directory.FullName, "redis.key");
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(keyFile, key.ExportPkcs8PrivateKeyPem());
        return ["--tls-cert-file", CertificateFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", CertificateFile];
    }

    private static async Task<string> RunAsync(string program, string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await errors;
        await process.WaitForExitAsync();
        return output.Trim().ReplaceLineEndings("\n");
    }
}
