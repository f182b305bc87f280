using System.Text;
using SevenX42.Modules.Generation.Domain.Images;

namespace SevenX42.Modules.Generation.Infrastructure.Providers.Demo;

/// <summary>
/// A landscape that is painted stroke by stroke, broad ones first: the same prompt, seed, size and steps give the same picture, byte
/// for byte, and every step changes it. The prompt chooses the colours. Says <c>DEMO</c> in a corner.
/// Pure; not thread-safe.
/// </summary>
internal sealed class DemoPicture
{
    private const int Hills = 4;

    // Rows of the letters of the label, five bits each.
    private static readonly byte[][] Label =
    [
        [30, 17, 17, 17, 17, 17, 30],
        [31, 16, 16, 30, 16, 16, 31],
        [17, 27, 21, 21, 17, 17, 17],
        [14, 17, 17, 17, 17, 17, 14],
    ];

    private readonly ImageSize _size;
    private readonly byte[] _pixels;
    private readonly Hill[] _hills = new Hill[Hills];
    private readonly double _hue;
    private readonly double _sunX;
    private readonly double _sunY;
    private readonly double _sunRadius;
    private ulong _random;

    /// <summary>Before the first step it is canvas.</summary>
    /// <param name="prompt">What was asked for.</param>
    /// <param name="seed">Any number.</param>
    /// <param name="size">At least 32 pixels each way.</param>
    /// <param name="steps">At least 1.</param>
    public DemoPicture(string prompt, long seed, ImageSize size, int steps)
    {
        (_size, Steps) = (size, steps);
        _pixels = new byte[size.Width * size.Height * 3];
        Array.Fill(_pixels, (byte)0xee);
        var words = 14695981039346656037ul;
        foreach (var b in Encoding.UTF8.GetBytes(prompt.Trim()))
            words = (words ^ b) * 1099511628211;
        _random = (ulong)seed ^ words;
        _hue = words % 3600 / 3600.0;
        (_sunX, _sunY, _sunRadius) = (0.15 + (Next() * 0.7), 0.12 + (Next() * 0.3), 0.05 + (Next() * 0.08));
        for (var i = 0; i < Hills; i++)
            _hills[i] = new Hill(0.45 + (i * 0.14) + (Next() * 0.06), 0.03 + (Next() * 0.08), 2 + (Next() * 9), Next() * Math.Tau);
    }

    /// <summary>Steps in all.</summary>
    public int Steps { get; }

    /// <summary>Steps done.</summary>
    public int Step { get; private set; }

    /// <summary>Paints the next step.</summary>
    public void Advance()
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(Step, Steps);

        // From a sixth of the picture to a hundredth of it.
        var shorter = Math.Min(_size.Width, _size.Height);
        var radius = Math.Max(1.0, shorter / 6.0 * Math.Pow(1 / 16.0, Steps == 1 ? 1 : Step / (Steps - 1.0)));
        var strokes = Math.Max(1, (int)(_size.Width * _size.Height * 0.6 / (radius * radius)));
        Step++;
        for (var i = 0; i < strokes; i++)
            Paint(radius);

        // A canvas that has all its colours already gets another stroke.
        while (!Paint(radius))
        {
        }
    }

    /// <summary>The picture as it is, as PNG.</summary>
    /// <param name="shrink">Takes every so many-th pixel of every so many-th row.</param>
    public byte[] Encode(int shrink = 1)
    {
        var (width, height) = (_size.Width / shrink, _size.Height / shrink);
        var pixels = new byte[width * height * 3];
        for (var y = 0; y < height; y++)
        {
            for (var x = 0; x < width; x++)
                _pixels.AsSpan(((y * shrink * _size.Width) + (x * shrink)) * 3, 3).CopyTo(pixels.AsSpan(((y * width) + x) * 3));
        }

        DrawLabel(pixels, width, height);
        return PngEncoder.Encode(pixels, width, height);
    }

    /// <summary>One stroke.</summary>
    /// <returns>Whether it changed anything in the upper half, where no label hides it.</returns>
    private bool Paint(double radius)
    {
        var (cx, cy) = (Next() * _size.Width, Next() * _size.Height);
        var colour = Look(cx / _size.Width, cy / _size.Height);
        var light = 0.92 + (Next() * 0.16);
        Span<byte> paint = [Channel(colour.R * light), Channel(colour.G * light), Channel(colour.B * light)];
        var changed = false;
        var (left, right) = (Math.Max(0, (int)(cx - radius)), Math.Min(_size.Width - 1, (int)(cx + radius)));
        var (top, bottom) = (Math.Max(0, (int)(cy - (radius * 0.7))), Math.Min(_size.Height - 1, (int)(cy + (radius * 0.7))));
        for (var y = top; y <= bottom; y++)
        {
            var dy = (y - cy) / 0.7;
            for (var x = left; x <= right; x++)
            {
                var dx = x - cx;
                if ((dx * dx) + (dy * dy) > radius * radius)
                    continue;
                var pixel = _pixels.AsSpan(((y * _size.Width) + x) * 3, 3);
                for (var c = 0; c < 3; c++)
                {
                    var mixed = (byte)(((pixel[c] * 3) + (paint[c] * 7) + 5) / 10);
                    changed |= mixed != pixel[c] && y < _size.Height / 2;
                    pixel[c] = mixed;
                }
            }
        }

        return changed;
    }

    /// <summary>The landscape's colour at a point, both coordinates from 0 to 1.</summary>
    private (double R, double G, double B) Look(double x, double y)
    {
        for (var i = Hills - 1; i >= 0; i--)
        {
            var hill = _hills[i];
            var ridge = hill.Height
                - (hill.Swing * Math.Sin((x * hill.Waves) + hill.Shift))
                - (hill.Swing / 3 * Math.Sin((x * hill.Waves * 2.7) + hill.Shift));
            if (y > ridge)
                return FromHue(_hue + 0.45 + (i * 0.04), 0.35 + (i * 0.08), 0.62 - (i * 0.13) - ((y - ridge) * 0.15));
        }

        var (dx, dy) = ((x - _sunX) * _size.Width / _size.Height, y - _sunY);
        var far = Math.Sqrt((dx * dx) + (dy * dy));
        if (far < _sunRadius)
            return FromHue(_hue + 0.1, 0.25, 0.98);
        var glow = Math.Max(0, 0.2 - (far * 0.4));
        return FromHue(_hue + (y * 0.12), 0.55 - (y * 0.4) - (glow * 0.5), 0.72 + (y * 0.25) + glow);
    }

    private static (double R, double G, double B) FromHue(double hue, double saturation, double value)
    {
        return (Part(5), Part(3), Part(1));

        double Part(int n)
        {
            var k = (n + (hue * 6)) % 6;
            return value - (value * saturation * Math.Clamp(Math.Min(k, 4 - k), 0, 1));
        }
    }

    private static byte Channel(double value) => (byte)Math.Round(Math.Clamp(value, 0, 1) * 255);

    private static void DrawLabel(byte[] pixels, int width, int height)
    {
        var dot = Math.Max(1, Math.Min(width, height) / 128);
        var (boxWidth, boxHeight) = (((Label.Length * 6) + 1) * dot, 9 * dot);
        var (left, top) = (width - boxWidth - dot, height - boxHeight - dot);
        for (var y = 0; y < boxHeight; y++)
        {
            for (var x = 0; x < boxWidth; x++)
            {
                var (column, row) = ((x / dot) - 1, (y / dot) - 1);
                var ink = column >= 0 && row is >= 0 and < 7 && column % 6 < 5 && column / 6 < Label.Length
                    && ((Label[column / 6][row] >> (4 - (column % 6))) & 1) != 0;
                pixels.AsSpan((((top + y) * width) + left + x) * 3, 3).Fill(ink ? (byte)0xff : (byte)0x20);
            }
        }
    }

    /// <summary>0 to 1. SplitMix64, because <see cref="Random"/> does not promise the same numbers in its next version.</summary>
    private double Next()
    {
        var z = _random += 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1ul << 53));
    }

    private readonly record struct Hill(double Height, double Swing, double Waves, double Shift);
}
