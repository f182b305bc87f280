using NetVips;

namespace SevenX42.Testing;

/// <summary>Pictures as people send them.</summary>
public static class Photo
{
    /// <summary>A plain PNG; of another shade it is another picture.</summary>
    public static byte[] Png(int width = 40, int height = 30, int shade = 100)
    {
        using var black = Image.Black(width, height, bands: 3);
        using var plain = (black + shade).Cast(Enums.BandFormat.Uchar);
        using var picture = plain.Copy(interpretation: Enums.Interpretation.Srgb);
        return picture.PngsaveBuffer();
    }

    /// <summary>A JPEG of little quality, some 70 KB, that is larger in the quality that pictures are stored in.</summary>
    public static byte[] Noise()
    {
        using var noise = Image.Gaussnoise(700, 700, sigma: 60, mean: 128);
        return noise.Cast(Enums.BandFormat.Uchar).JpegsaveBuffer(q: 10);
    }
}
