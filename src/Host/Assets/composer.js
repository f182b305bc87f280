import { $, on, running, stop } from "./dom.js";

// A version 4 UUID; crypto.randomUUID is missing on plain http.
const newId = () =>
  "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) =>
    (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

/**
 * The form that sends messages. A draft lives in this browser until the server has acknowledged the message. Once it was tried
 * to send it, the draft keeps the message's id, so that sending it again after an outcome nobody knows makes no second message;
 * another text is another message, and so is what another tab sends.
 */
export const composer = () => ({
  empty: true,
  unsent: false,
  // What it was tried to send, as long as nobody knows what became of it.
  tried: null,

  init() {
    this.slot = "draft:" + this.$root.dataset.draft;
    let draft = {};
    try {
      draft = JSON.parse(localStorage[this.slot]);
    } catch {
      // No draft, or no storage: the page works without.
    }
    if (draft.id) {
      this.$refs.id.value = draft.id;
      this.tried = draft.text;
    }
    // What was typed before this script ran is newer.
    this.fill(this.$refs.text.value || (draft.text ?? ""));
    this.retry = () => this.unsent && this.$root.requestSubmit();
    addEventListener("online", this.retry);
    // The answer to the request may be lost, and the message there all the same: then it comes with the transcript.
    this.arrived = () => $(`#transcript [data-message="${this.$refs.id.value}"]`) && this.sent();
    on("htmx:after:settle", this.arrived);
  },

  destroy() {
    removeEventListener("online", this.retry);
    document.removeEventListener("htmx:after:settle", this.arrived);
  },

  fill(text) {
    this.$refs.text.value = text;
    this.typed();
  },

  typed() {
    const area = this.$refs.text;
    const text = area.value;
    this.empty = !text.trim();
    if (this.tried != null && text !== this.tried) {
      this.$refs.id.value = newId();
      this.tried = null;
    }
    this.keep();
    if (!CSS.supports("field-sizing: content")) {
      area.style.height = "auto";
      area.style.height = area.scrollHeight + "px";
    }
  },

  keep() {
    const text = this.$refs.text.value;
    try {
      if (text) localStorage[this.slot] = JSON.stringify({ text, id: this.tried != null ? this.$refs.id.value : undefined });
      else localStorage.removeItem(this.slot);
    } catch {
      // As above.
    }
  },

  key(event) {
    // 229: the key belongs to an input method that is composing, also where isComposing is already over (Safari).
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    if (!this.empty) this.$root.requestSubmit();
  },

  picked({ target }) {
    const [option] = target.selectedOptions;
    $("#model-name").textContent = option.text;
    $("#model-demo").hidden = option.dataset.demo == null;
  },

  // Also reached by Enter, by a click before the last keystroke was handled, and by coming online.
  submit(event) {
    if (this.empty || running()) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    this.tried = this.$refs.text.value;
    this.keep();
  },

  stop() {
    stop();
    this.$refs.text.focus();
  },

  // After a response: whatever it says, it is there; what the server refused stays in the box.
  answered({ detail: { ctx } }) {
    this.unsent = false;
    if (ctx.response.status < 400) this.sent();
  },

  sent() {
    this.unsent = false;
    this.tried = null;
    this.$refs.id.value = newId();
    $("#composer-notice").replaceChildren();
    this.fill("");
    this.$refs.text.focus();
  },

  // No response: nobody knows whether it arrived.
  lost({ detail: { ctx } }) {
    this.unsent = ctx?.text == null;
  },
});
