using System.Globalization;
using System.Net;
using System.Text;
using SevenX42.Contracts.Generation;

namespace SevenX42.Modules.Chat.Rendering;

/// <summary>
/// The HTML of pictures that are being drawn: one block of an answer, the same on a page and on the channel, where it is sent as what
/// has changed of it.
/// </summary>
internal static class PictureProgress
{
    /// <param name="progress">How far they are.</param>
    /// <param name="before">
    /// The preview that was shown before: it stays below the new one until that is there, so that nothing flickers. Empty for none.
    /// </param>
    public static string Html(ImageProgress progress, string before = "")
    {
        var html = new StringBuilder("<div class=\"drawing\">");
        if (progress.Preview.Length > 0)
        {
            html.Append("<div class=\"canvas\">");
            Image(html, before, progress);
            Image(html, progress.Preview, progress);
            html.Append("</div>");
        }

        if (progress.Steps > 0)
        {
            html.Append(
                CultureInfo.InvariantCulture,
                $"<progress max=\"{progress.Steps}\" value=\"{progress.Step}\" aria-label=\"Progress\"></progress><p>Step {progress.Step} of {progress.Steps}");
        }
        else
        {
            // Nobody knows how far it is.
            html.Append(CultureInfo.InvariantCulture, $"<progress aria-label=\"Progress\"></progress><p>{Elapsed(progress.Seconds)}");
        }

        if (progress is { Count: > 1, Done: > 0 })
            html.Append(CultureInfo.InvariantCulture, $" · {progress.Done} of {progress.Count} pictures are done");
        return html.Append("</p></div>").ToString();
    }

    private static void Image(StringBuilder html, string source, ImageProgress progress)
    {
        if (source.Length > 0)
        {
            html.Append(
                CultureInfo.InvariantCulture,
                $"<img src=\"{WebUtility.HtmlEncode(source)}\" width=\"{progress.Width}\" height=\"{progress.Height}\" alt=\"\">");
        }
    }

    private static string Elapsed(int seconds) => seconds < 60
        ? string.Create(CultureInfo.InvariantCulture, $"{seconds} s")
        : string.Create(CultureInfo.InvariantCulture, $"{seconds / 60} min {seconds % 60} s");
}
