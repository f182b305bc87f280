using SevenX42.Modules.Chat.Domain;

namespace SevenX42.Modules.Chat.Tests.Domain;

public sealed class TitlesTests
{
    [Theory]
    [InlineData("Lighthouses of the north", "Lighthouses of the north")]
    [InlineData("\"Lighthouses of the north.\"", "Lighthouses of the north")]
    [InlineData("“Lighthouses of the north”.\n\nI chose this because …", "Lighthouses of the north")]
    [InlineData("Title: **Lighthouses** of the north.", "Lighthouses of the north")]
    [InlineData("What \"lighthouse\" means to \"us\"", "What \"lighthouse\" means to \"us\"")]
    [InlineData("Bell\u0007s and \u001b[1mwhistles\u0002", "Bells and 1mwhistles")]
    [InlineData("\"\"", "")]
    [InlineData("\"", "\"")]
    [InlineData(" \n\n", "")]
    public void A_models_title_is_one_plain_line(string answer, string title) => Assert.Equal(title, Titles.FromModel(answer));

    [Theory]
    [InlineData("# Hello\n\tthere, **you**", "Hello there, you")]
    [InlineData("```", "New chat")]
    [InlineData("Where do the lighthouses of the north stand, and who keeps them nowadays?", "Where do the lighthouses of the north stand, and who keeps…")]
    public void The_first_words_of_a_message_are_a_title(string message, string title) => Assert.Equal(title, Titles.FromFirstMessage(message));
}
