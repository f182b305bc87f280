import htmx from "htmx.org";
import { $, on, remember, running, showModel, stop, tell } from "./dom.js";
import { growing } from "./realtime.js";

// A version 4 UUID, which ends the address of every blob; crypto.randomUUID is missing on plain http.
const newId = () => URL.createObjectURL(new Blob()).slice(-36);

/** Whether a key sends what is written. 229: it belongs to an input method that composes, also where isComposing is already over (Safari). */
export const sends = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;

// What was written after the message that was sent.
const after = (sent, written) => (written.startsWith(sent) ? written.slice(sent.length).trimStart() : written);

const read = (slot) => {
  try {
    return JSON.parse(localStorage[slot]);
  } catch {
    // No draft, or no storage: the page works without.
    return {};
  }
};

const store = (slot, draft) => {
  try {
    if (draft.text || draft.draw) localStorage[slot] = JSON.stringify(draft);
    else localStorage.removeItem(slot);
  } catch {
    // As above.
  }
};

// Whoever has gone elsewhere while a message was on its way stays there: the answer comes to a page that is not its own.
let current;
on("htmx:after:request", (event) => {
  const { sourceElement: form, request, response, hx, text: answer } = event.detail.ctx;
  if (form.id !== "composer" || form.isConnected) return;
  // All the same, a guest that was made just now needs pages that are theirs.
  if (!hx.redirect) event.preventDefault();
  if (response.status >= 400) return tell(answer);
  const slot = "draft:" + form.dataset.draft;
  const draft = read(slot);
  store(slot, { ...draft, text: after(request.body.get("text"), draft.text ?? "") });
  if ($("#composer") && current.tried?.id === request.body.get("messageId")) current.sent();
});

/**
 * The form that sends messages. A draft lives in this browser until the server has acknowledged the message. Once it was tried
 * to send it, the draft keeps the message's id, so that sending it again after an outcome nobody knows makes no second message;
 * another text is another message, and so is what another tab sends. What is typed meanwhile is the beginning of the next one.
 * Whoever has pictures drawn goes on with it in this conversation until they say otherwise.
 * Pictures stay in the chooser, from which the form sends them, until the message they go with is there.
 */
export const composer = () => ({
  empty: true,
  busy: false,
  unsent: false,
  // Whether the box holds another message now than the one it was tried to send: that is sent by whoever writes it.
  changed: false,
  // Times in a row that nothing came back.
  losses: 0,
  // What it was tried to send, { id, text, files }, as long as nobody knows what became of it.
  tried: null,
  files: [],
  url: URL.createObjectURL,
  // Whether there were more pictures than may be sent, or others.
  excess: false,

  get blocked() {
    return this.empty || this.busy;
  },

  init() {
    current = this;
    this.slot = "draft:" + this.$root.dataset.draft;
    const draft = read(this.slot);
    if (draft.id) {
      this.$refs.id.value = draft.id;
      this.tried = draft;
    }
    if (draft.draw) $("#draw")?.click();
    // What was typed before this script ran is newer.
    this.fill(this.$refs.text.value || (draft.text ?? ""));
    this.arrived();
  },

  // The answer to the request may be lost, and the message there all the same: then it comes with the transcript.
  arrived() {
    if (this.tried && $(`#transcript [data-message="${this.tried.id}"]`)) this.sent();
  },

  fill(text) {
    this.$refs.text.value = text;
    this.typed();
  },

  typed() {
    const area = this.$refs.text;
    this.empty = !this.files[0] && !area.value.trim();
    if (this.tried && this.tried.text !== area.value && this.tried.id === this.$refs.id.value) this.change();
    this.keep();
    if (!CSS.supports("field-sizing: content")) {
      area.style.height = "auto";
      area.style.height = area.scrollHeight + "px";
    }
  },

  // What is chosen, pasted or dropped joins what is there. Rich text on the clipboard is meant as words, whatever it looks like besides;
  // plain text is the name of the file. What is drawn is drawn from words alone.
  attach(event) {
    const { target, clipboardData, dataTransfer } = event;
    const files = target.files ?? (clipboardData ?? dataTransfer).files;
    if (!files.length || (clipboardData?.getData("text/html") && clipboardData.getData("text"))) return;
    event.preventDefault();
    if (!$("#draw:checked")) this.hold([...this.files, ...files]);
  },

  detach({ currentTarget }) {
    this.hold(this.files.filter((_, index) => index != currentTarget.value));
    this.$refs.text.focus();
  },

  // With other pictures it is another message.
  hold(files) {
    if (this.tried) this.change();
    const { pictures } = this.$refs;
    const { most, bytes } = pictures.dataset;
    this.files = files.filter((file) => file.type && pictures.accept.includes(file.type) && file.size <= bytes).slice(0, most);
    this.excess = this.files.length < files.length;
    const chosen = new DataTransfer();
    this.files.forEach((file) => chosen.items.add(file));
    pictures.files = chosen.files;
    this.typed();
  },

  change() {
    this.$refs.id.value = newId();
    this.changed = true;
  },

  keep() {
    const text = this.$refs.text.value;
    const id = this.$refs.id.value;
    store(this.slot, { text, id: this.tried?.id === id ? id : undefined, draw: !!$("#draw:checked") });
  },

  key(event) {
    if (!sends(event)) return;
    event.preventDefault();
    if (!this.blocked) this.$root.requestSubmit();
  },

  picked({ target }) {
    showModel(target.value);
    remember("model", target.value);
    // For the next answer whatever asks for it, and for the other tabs.
    const settings = target.dataset.settings;
    if (settings) htmx.ajax("POST", settings, { source: "#actions", swap: "none" });
  },

  // Also reached by Enter, by a click before the last keystroke was handled, and by the connection coming back.
  submit(event) {
    if (this.blocked || running()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    this.busy = true;
    this.changed = false;
    this.tried = { id: this.$refs.id.value, text: this.$refs.text.value, files: this.files };
    this.keep();
  },

  stop() {
    stop();
    this.$refs.text.focus();
  },

  // After a response: whatever it says, it is there; what the server refused stays in the box.
  answered({ detail: { ctx } }) {
    this.unsent = this.busy = false;
    this.losses = 0;
    if (ctx.response.status >= 400) return;
    this.sent();
    const path = ctx.hx.pushurl ?? ctx.hx.redirect;
    if (!path) return;
    // What is left belongs to the conversation that has just begun.
    store(this.slot, {});
    this.slot = "draft:" + path.split("/").pop();
    this.keep();
  },

  sent() {
    const { text, files } = this.tried ?? {};
    if (text == null) return;
    this.unsent = this.changed = this.excess = false;
    this.tried = null;
    this.$refs.id.value = newId();
    $("#composer-notice").replaceChildren();
    if (files?.length) this.hold(this.files.filter((file) => !files.includes(file)));
    const area = this.$refs.text;
    this.fill(this.$root.dataset.keep == null ? after(text, area.value) : area.value);
    area.focus();
  },

  // No response: nobody knows whether it arrived. It is tried again when the server is reached, and now and then: the connection that
  // says so may never have been away.
  lost({ detail: { ctx } }) {
    this.unsent = ctx?.text == null;
    this.busy = false;
    if (this.unsent) this.later(growing(5_000, this.losses++));
  },

  later(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.retry(), ms);
  },

  retry() {
    if (!this.unsent || this.changed || this.busy) return;
    if (running()) this.later(1_000);
    else this.$root.requestSubmit();
  },
});
