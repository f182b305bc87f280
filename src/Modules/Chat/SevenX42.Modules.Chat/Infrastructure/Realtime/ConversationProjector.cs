using System.Globalization;
using SevenX42.Contracts.Generation;
using SevenX42.Modules.Chat.Domain;
using SevenX42.Modules.Chat.Features.Conversations;
using SevenX42.Modules.Chat.Rendering;
using SevenX42.Realtime;

namespace SevenX42.Modules.Chat.Infrastructure;

/// <summary>
/// What browsers get of a conversation's log: Chat's own events as they are, and Generation's raw text as deltas of HTML.
/// Keeps one incremental renderer per answer that is being written. See <see cref="IChannelProjector"/>.
/// </summary>
/// <param name="renderer">Renders.</param>
/// <param name="readPending">Reads what is stored of the answers that have not ended.</param>
internal sealed class ConversationProjector(
    MarkdownRenderer renderer, Func<CancellationToken, Task<IReadOnlyList<PendingAnswer>>> readPending) : IChannelProjector
{
    private readonly Dictionary<string, Running> _running = [];
    private readonly List<Running> _touched = [];

    // Text of answers that broke off or were stopped: they can be continued.
    private readonly Dictionary<string, AnswerText> _unfinished = [];
    private bool _loading;

    public async ValueTask LoadAsync(IReadOnlyList<ChannelEvent> retained, CancellationToken cancellationToken)
    {
        foreach (var pending in await readPending(cancellationToken))
            Begin(pending);
        using var nobody = new ProjectedEvents();
        _loading = true;
        Project(retained, nobody);
        _loading = false;
        var head = retained.Count > 0 ? retained[^1].Seq : 0;
        foreach (var running in _running.Values)
            running.KnownSince = Math.Max(running.KnownSince, running.FromCheckpoint ? head : 0);
    }

    public void Project(IReadOnlyList<ChannelEvent> events, ProjectedEvents output)
    {
        foreach (var e in events)
        {
            if (GenerationEvent.Read(e) is { } generation)
            {
                Take(e.Seq, generation, output);
            }
            else if (!e.Type.StartsWith("gen.", StringComparison.Ordinal))
            {
                if (e.Type == Changes.MessageKind)
                    ShowFromStore(Changes.EndOf(e.Data.Span));
                output.Write(e.Seq, e.Type, e.Data.Span);
            }
        }

        foreach (var running in _touched)
            Flush(running, events[^1].Seq, output);
        _touched.Clear();
    }

    public void CatchUp(long from, IReadOnlyList<ChannelEvent> events, ProjectedEvents output)
    {
        var subjects = new HashSet<string>();
        foreach (var e in events)
        {
            if (GenerationEvent.Read(e) is { } generation)
                subjects.Add(generation.Subject);
            else if (!e.Type.StartsWith("gen.", StringComparison.Ordinal))
                output.Write(e.Seq, e.Type, e.Data.Span);
        }

        if (events.Count == 0)
            return;
        var head = events[^1].Seq;
        // All that are being written: what is live from now on builds on what is sent here, and not on a page.
        foreach (var running in _running.Values)
        {
            if (!running.IsLost)
                Resend(running, from, head, output);
        }

        foreach (var subject in subjects)
        {
            if ((!_running.TryGetValue(subject, out var running) || running.IsLost) && int.TryParse(subject, CultureInfo.InvariantCulture, out var number))
                WriteNumber(output, head, "changed", number);
        }
    }

    private void Begin(PendingAnswer pending)
    {
        var running = Begin(Channels.SubjectOf(pending.Number), pending.Number);
        running.IsToShowAnew = false;
        running.Text.Load(pending.GenerationId, pending.Text, pending.Reasoning);
        running.Progress = running.Progress with { Image = pending.Image };
        running.FromCheckpoint = running.Text.Length > 0 || running.Text.Reasoning.Length > 0 || pending.Image is not null;
        running.Html.Append(running.Text.Text);
        running.Html.Flush();
    }

    private Running Begin(string subject, int number)
    {
        _unfinished.Remove(subject, out var text);
        return _running[subject] = new Running(number, text ?? new AnswerText(), new StreamingMarkdown(renderer));
    }

    private void Take(long seq, GenerationEvent e, ProjectedEvents output)
    {
        if (!_running.TryGetValue(e.Subject, out var running))
        {
            if (e.Data is GenerationEvents.DoneData || !int.TryParse(e.Subject, CultureInfo.InvariantCulture, out var number))
                return;
            running = Begin(e.Subject, number);
            running.KnownSince = seq;
            if (running.Text.Length == 0)
                running.Text.Load(e.GenerationId, "", "");
        }

        switch (e.Data)
        {
            case GenerationEvents.QueuedData or GenerationEvents.WaitingData:
                running.Progress = e.ApplyTo(running.Progress);
                WriteStatus(output, seq, running);
                break;
            case GenerationEvents.StartedData started:
                running.Progress = e.ApplyTo(running.Progress);
                Start(seq, running, e.GenerationId, started, output);
                break;
            case GenerationEvents.DeltaData delta when e.GenerationId == running.Text.GenerationId:
                TakeText(seq, running, e.Type, delta, output);
                var before = running.Progress;
                running.Progress = e.ApplyTo(before);
                if (running.Progress.Sentence != before.Sentence)
                    WriteStatus(output, seq, running);
                break;
            case GenerationEvents.ImageProgressData image when e.GenerationId == running.Text.GenerationId:
                TakeImage(seq, running, e, image.Progress, output);
                break;
            case GenerationEvents.DoneData done when e.GenerationId == running.Text.GenerationId || running.Text.Length == 0:
                if (running is { IsLost: false, IsShownFromStore: false })
                {
                    Flush(running, seq, output);
                    running.Caret = null;
                    WriteDeltas(output, seq, running, running.Html.Complete());
                }

                WriteDone(output, seq, running.Number, done.Status);
                _touched.Remove(running);
                _running.Remove(e.Subject);
                if (done.Status != GenerationStatus.Completed && !running.IsLost)
                    _unfinished[e.Subject] = running.Text;
                break;
            default:
                break;
        }
    }

    private void Start(long seq, Running running, Guid generationId, GenerationEvents.StartedData started, ProjectedEvents output)
    {
        // An attempt before this one may have thought, in a part of the log that is forgotten: pages from then show it.
        running.HasThought = true;
        var (old, oldReasoning) = (running.Text.Length, running.Text.Reasoning.Length);
        if (!running.Text.Start(generationId, started.TextOffset, started.ReasoningOffset))
        {
            Lose(running);
            return;
        }

        if (running.Text.Reasoning.Length < oldReasoning)
            WriteThought(output, seq, running.Number, running.Text.Reasoning.Length, "");
        // What was shown behind the offset is void, or nobody knows what is shown.
        if (running.IsLost || running.IsToShowAnew || running.IsShownFromStore || running.Text.Length < old)
            ShowAnew(seq, running, output);
        WriteStatus(output, seq, running);
    }

    private void ShowAnew(long seq, Running running, ProjectedEvents output)
    {
        (running.IsLost, running.IsToShowAnew, running.IsShownFromStore) = (false, false, false);
        _touched.Remove(running);
        running.Html = new StreamingMarkdown(renderer);
        running.ClosedAt.Clear();
        running.KnownSince = seq;
        running.Caret = null;
        running.ImageHtml = "";
        WriteBegin(output, seq, running.Number, 0);
        running.Html.Append(running.Text.Text);
        Touch(running);
    }

    /// <summary>
    /// The end is stored, though the log has not told it yet: whoever told of it was faster. Pages fetch what is stored, so that nothing
    /// may build on what they had before. If the answer is being written all the same, the news was of an earlier end.
    /// </summary>
    private void ShowFromStore((int Number, Guid? GenerationId) end)
    {
        if (!_running.TryGetValue(Channels.SubjectOf(end.Number), out var running))
            return;
        running.IsShownFromStore = true;
        running.IsToldOfAnother = end.GenerationId is { } ended && ended != running.Text.GenerationId;
        _touched.Remove(running);
    }

    private void TakeText(long seq, Running running, string type, GenerationEvents.DeltaData delta, ProjectedEvents output)
    {
        if (running.IsLost)
            return;
        if (type == GenerationEvents.Reasoning)
        {
            if (!running.Text.AppendReasoning(delta.Offset, delta.Text, out var thought))
                Lose(running);
            else if (thought.Length > 0)
                WriteThought(output, seq, running.Number, delta.Offset + delta.Text.Length - thought.Length, thought);
            running.HasThought = true;
        }
        else if (running.Text.Append(delta.Offset, delta.Text, out var added))
        {
            if (!running.IsShownFromStore)
            {
                running.IsToShowAnew = false;
                running.Html.Append(added);
                Touch(running);
            }
            else if (added.Length > 0)
            {
                ShowAnew(seq, running, output);
            }
        }
        else
        {
            Lose(running);
        }
    }

    /// <summary>
    /// Text before an event is missing here. The log may have forgotten the beginning of an answer that has ended since, so
    /// that no checkpoint has it either: whoever lacks something of it fetches the message. In the middle of following the log
    /// it is a fault, from which everybody recovers by loading anew.
    /// </summary>
    private void Lose(Running running)
    {
        if (!_loading)
            throw new InvalidOperationException("A channel's log has a gap in the text of an answer.");
        running.IsLost = true;
    }

    /// <summary>An answer that draws is one block, which says everything; browsers are sent what has changed of it.</summary>
    private void TakeImage(long seq, Running running, GenerationEvent e, ImageProgress image, ProjectedEvents output)
    {
        var before = running.Progress;
        if (before.Image is { } shown && shown.Preview != image.Preview)
            running.PreviewBefore = shown.Preview;
        running.Progress = e.ApplyTo(before);
        if (running.Progress.Sentence != before.Sentence)
            WriteStatus(output, seq, running);
        if (running.IsShownFromStore)
        {
            // A state may come late, and after the end it is none; but not when it was another generation that ended.
            if (!running.IsToldOfAnother)
                return;
            ShowAnew(seq, running, output);
        }

        var html = PictureProgress.Html(image, running.PreviewBefore);
        if (HtmlDelta.Between(0, running.ImageHtml, html) is { } delta)
            WriteDeltas(output, seq, running.Number, [delta]);
        running.ImageHtml = html;
    }

    private void Touch(Running running)
    {
        if (!_touched.Contains(running))
            _touched.Add(running);
    }

    private static void Flush(Running running, long seq, ProjectedEvents output)
    {
        WriteDeltas(output, seq, running, running.Html.Flush());
        while (running.ClosedAt.Count < running.Html.OpenBlock)
            running.ClosedAt.Add(seq);
    }

    /// <summary>Sends what a client lacks whole: blocks that closed after its position, and those that are open.</summary>
    private static void Resend(Running running, long from, long head, ProjectedEvents output)
    {
        if (running.IsShownFromStore)
            return;
        var first = 0;
        var isKnown = from >= running.KnownSince;
        if (running.Progress.Image is { } image)
        {
            WriteBegin(output, head, running.Number, 0);
            var html = running.ImageHtml.Length > 0 ? running.ImageHtml : PictureProgress.Html(image);
            WriteDeltas(output, head, running.Number, [new HtmlDelta(0, 0, html, 0)]);
            WriteStatus(output, head, running);
            return;
        }

        if (running.IsToShowAnew)
        {
            // Whether its text goes on or begins again is not known yet: until then the page's is right.
            WriteStatus(output, head, running);
            return;
        }

        while (isKnown && first < running.ClosedAt.Count && running.ClosedAt[first] <= from)
            first++;

        // Of open blocks a page may have others, and more: what half a line looked like then.
        WriteBegin(output, head, running.Number, first);
        var blocks = new List<HtmlDelta>();
        for (var i = first; i < running.Html.BlockCount; i++)
            blocks.Add(new HtmlDelta(i, 0, running.Html.BlockHtml(i), 0));
        if (running.Caret is { } caret)
            blocks.Add(caret);
        if (!isKnown || running.HasThought || running.Text.Reasoning.Length > 0)
            WriteThought(output, head, running.Number, 0, running.Text.Reasoning);
        WriteDeltas(output, head, running.Number, blocks);
        WriteStatus(output, head, running);
    }

    private static void WriteDeltas(ProjectedEvents output, long seq, Running running, IReadOnlyList<HtmlDelta> deltas)
    {
        if (deltas is [var only] && running.Caret is { } caret && only == caret with { Insert = only.Insert })
            WriteMore(output, seq, running.Number, only.Insert);
        else
            WriteDeltas(output, seq, running.Number, deltas);
        if (deltas is [.., var last])
            running.Caret = last with { Keep = last.Keep + last.Insert.Length, Insert = "" };
    }

    /// <summary>Most deltas go on where the last one ended: then the text alone is enough.</summary>
    private static void WriteMore(ProjectedEvents output, long seq, int number, string insert)
    {
        var json = output.Begin(seq, "+");
        json.WriteStartArray();
        json.WriteNumberValue(number);
        json.WriteStringValue(insert);
        json.WriteEndArray();
        output.End();
    }

    private static void WriteDeltas(ProjectedEvents output, long seq, int number, IReadOnlyList<HtmlDelta> deltas)
    {
        if (deltas.Count == 0)
            return;
        var json = output.Begin(seq, "delta");
        json.WriteStartArray();
        json.WriteNumberValue(number);
        foreach (var delta in deltas)
        {
            json.WriteStartArray();
            json.WriteNumberValue(delta.Block);
            json.WriteNumberValue(delta.Keep);
            json.WriteStringValue(delta.Insert);
            json.WriteNumberValue(delta.KeepEnd);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        output.End();
    }

    private static void WriteThought(ProjectedEvents output, long seq, int number, int offset, ReadOnlySpan<char> text)
    {
        var json = output.Begin(seq, "think");
        json.WriteStartArray();
        json.WriteNumberValue(number);
        json.WriteNumberValue(offset);
        json.WriteStringValue(text);
        json.WriteEndArray();
        output.End();
    }

    private static void WriteStatus(ProjectedEvents output, long seq, Running running)
    {
        var json = output.Begin(seq, "status");
        json.WriteStartObject();
        json.WriteNumber("n", running.Number);
        json.WriteString("st", running.Progress.State);
        json.WriteString("t", running.Progress.Sentence);
        json.WriteEndObject();
        output.End();
    }

    private static void WriteDone(ProjectedEvents output, long seq, int number, string status)
    {
        var json = output.Begin(seq, "done");
        json.WriteStartObject();
        json.WriteNumber("n", number);
        json.WriteString("st", status);
        json.WriteEndObject();
        output.End();
    }

    private static void WriteNumber(ProjectedEvents output, long seq, string type, int number)
    {
        var json = output.Begin(seq, type);
        json.WriteStartObject();
        json.WriteNumber("n", number);
        json.WriteEndObject();
        output.End();
    }

    /// <summary>Blocks from this one on are void.</summary>
    private static void WriteBegin(ProjectedEvents output, long seq, int number, int block)
    {
        var json = output.Begin(seq, "begin");
        json.WriteStartArray();
        json.WriteNumberValue(number);
        json.WriteNumberValue(block);
        json.WriteEndArray();
        output.End();
    }

    private sealed class Running(int number, AnswerText text, StreamingMarkdown html)
    {
        public int Number { get; } = number;

        public AnswerText Text { get; } = text;

        public StreamingMarkdown Html { get; set; } = html;

        /// <summary>Where the last delta that was sent ended: the next one that goes on from there is sent without its place.</summary>
        public HtmlDelta? Caret { get; set; }

        /// <summary>For each closed block the event that closed it.</summary>
        public List<long> ClosedAt { get; } = [];

        /// <summary>A client before this has an answer that this renderer knows nothing of.</summary>
        public long KnownSince { get; set; }

        public bool FromCheckpoint { get; set; }

        /// <summary>Its text is not known here.</summary>
        public bool IsLost { get; set; }

        /// <summary>What pages show of it is what is stored as its end, and nothing that was sent.</summary>
        public bool IsShownFromStore { get; set; }

        /// <summary>Whether that is the end of an earlier generation than the one that writes it.</summary>
        public bool IsToldOfAnother { get; set; }

        /// <summary>Whether there may ever have been reasoning, though it may be void since.</summary>
        public bool HasThought { get; set; }

        /// <summary>
        /// No attempt has begun, so nothing was sent of it; what readers have of it, from before, may be rendered otherwise.
        /// </summary>
        public bool IsToShowAnew { get; set; } = true;

        public AnswerProgress Progress { get; set; } = new(GenerationStatus.Queued);

        /// <summary>What pages show of pictures that are being drawn.</summary>
        public string ImageHtml { get; set; } = "";

        /// <summary>The preview that was shown before the present one.</summary>
        public string PreviewBefore { get; set; } = "";
    }
}
