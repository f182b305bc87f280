export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const on = (type, handle, capture) => document.addEventListener(type, handle, capture);

/** Says it to people who can't see the page; the one live region there is. */
export const announce = (text) => ($("#announcer").textContent = text);

/** Shows what a template of the frame says for a few seconds; over a picture, where that is seen. */
export const toast = (name) => ($(":modal #image-notice") ?? $("#toasts")).append($(`#toast-${name}`).content.cloneNode(true));

/** Shows what the server says for a few seconds. */
export const tell = (html) => $("#toasts").insertAdjacentHTML("beforeend", html);

/** Keeps a choice for the pages that the server makes. */
export const remember = (name, value) =>
  (document.cookie = `${name}=${encodeURIComponent(value)};path=/;max-age=31536000;samesite=lax`);

/** Names the model that answers next, in the picker and in the head of the page. */
export function showModel(id) {
  const option = $$("#composer [name=model] option").find((it) => it.value === id);
  if (!option) return;
  option.selected = true;
  $("#model-name").textContent = option.text;
  $("#model-demo").hidden = option.dataset.demo == null;
}

/** The answer that is being written in the conversation on the page. */
export const running = () => $('#transcript [aria-busy="true"]');

/** Stops it: its own button, which the page shows as long as there is no script, does it. */
export const stop = () => $('#transcript [aria-busy="true"] [data-stop]')?.click();
