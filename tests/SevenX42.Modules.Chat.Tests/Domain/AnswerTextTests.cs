using CsCheck;
using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Tests.Domain;

public sealed class AnswerTextTests
{
    private static readonly Guid Generation = Guid.Parse("11111111-1111-1111-1111-111111111111");

    [Fact]
    public void Any_checkpoint_and_the_pieces_after_it_however_often_they_come_make_the_text() =>
        Gen.Select(Gen.String[0, 200], Gen.Int[0, 200], Gen.Int[1, 20].Array[1, 20], Gen.Int[0, 30].Array[0, 20]).Sample((text, checkpoint, sizes, again) =>
        {
            var answer = new AnswerText();
            answer.Load(Generation, text[..Math.Min(checkpoint, text.Length)], "");
            var pieces = Cut(text, sizes);
            for (var i = 0; i < pieces.Count; i++)
            {
                Assert.True(answer.Append(pieces[i].Offset, pieces[i].Text, out _));
                // Again, and from before.
                var earlier = pieces[Math.Max(0, i - again.ElementAtOrDefault(i))];
                var before = answer.Text;
                Assert.True(answer.Append(earlier.Offset, earlier.Text, out var nothing));
                Assert.True(nothing.IsEmpty);
                Assert.Equal(before, answer.Text);
                // A checkpoint that is behind changes nothing.
                answer.Load(Generation, text[..Math.Min(answer.Length, checkpoint)], "");
                Assert.Equal(before, answer.Text);
            }

            Assert.Equal(text, answer.Text);
        });

    [Fact]
    public void What_is_added_is_what_was_missing() =>
        Gen.Select(Gen.String[0, 100], Gen.Int[0, 100], Gen.Int[0, 100]).Sample((text, known, offset) =>
        {
            var answer = new AnswerText();
            answer.Load(Generation, text[..Math.Min(known, text.Length)], "");
            var before = answer.Text;
            offset = Math.Min(offset, text.Length);
            var appended = answer.Append(offset, text[offset..], out var added);
            Assert.Equal(offset <= before.Length, appended);
            Assert.Equal(answer.Text, before + added.ToString());
            Assert.Equal(appended ? text : before, answer.Text);
        });

    [Fact]
    public void An_attempt_goes_on_from_what_is_known_and_from_nothing_else() =>
        Gen.Select(Gen.String[0, 50], Gen.Int[0, 60], Gen.String[0, 50]).Sample((old, offset, text) =>
        {
            var answer = new AnswerText();
            answer.Load(Generation, old, "");
            var started = answer.Start(Generation, offset, 0);
            Assert.Equal(offset <= old.Length, started);
            if (!started)
            {
                Assert.Equal(old, answer.Text);
                return;
            }

            Assert.True(answer.Append(offset, text, out _));
            Assert.Equal(old[..offset] + text, answer.Text);
        });

    private static List<(int Offset, string Text)> Cut(string text, int[] sizes)
    {
        var pieces = new List<(int, string)>();
        for (var (i, position) = (0, 0); position < text.Length; i++)
        {
            var size = Math.Min(sizes[i % sizes.Length], text.Length - position);
            pieces.Add((position, text.Substring(position, size)));
            position += size;
        }

        return pieces;
    }
}
