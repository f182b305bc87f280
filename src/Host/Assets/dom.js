export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const on = (type, handle, capture) => document.addEventListener(type, handle, capture);

/** Says it to people who can't see the page; the one live region there is. */
export const announce = (text) => ($("#announcer").textContent = text);

/** Shows what a template of the frame says for a few seconds. */
export const toast = (name) => $("#toasts").append($(`#toast-${name}`).content.cloneNode(true));

/** The answer that is being written in the conversation on the page. */
export const running = () => $('#transcript [aria-busy="true"]');

/** Stops it: its own button, which the page shows as long as there is no script, does it. */
export const stop = () => $('#transcript [aria-busy="true"] [data-stop]')?.click();
