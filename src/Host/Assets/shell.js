import { sends } from "./composer.js";
import { $, $$, announce, on, stop, tell, toast } from "./dom.js";

// Shift belongs to the character where there is no other modifier: a question mark is one on every keyboard.
const keys = ({ ctrlKey, metaKey, shiftKey, key }) => (ctrlKey || metaKey ? (shiftKey ? "ctrl+shift+" : "ctrl+") : "") + key.toLowerCase();

// What a button with data-copy copies: the code it stands above, its message, or the markdown that its answer was made of.
const copied = {
  code: (button) => $("code", button.closest(".md-code")).textContent,
  message: (button) => $("[data-source]", button.closest("article")).textContent,
  answer: async ({ dataset }) => {
    const response = await fetch(dataset.href, { headers: { "HX-Request": "true" } });
    const text = await response.text();
    if (response.ok) return text;
    tell(text);
    throw response;
  },
};

async function copy(button) {
  const text = Promise.resolve(copied[button.dataset.copy](button));
  try {
    // Begun within the click, as some browsers demand; the text may come later.
    const blob = text.then((it) => new Blob([it], { type: "text/plain" }));
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
  } catch {
    // Plain http has no clipboard; the old way needs a selection.
    const area = document.createElement("textarea");
    area.value = await text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  announce("Copied");
  button.dataset.done = "";
  setTimeout(() => delete button.dataset.done, 1500);
}

function markCurrent() {
  for (const link of $$("nav a")) link.ariaCurrent = link.pathname === location.pathname ? "page" : null;
}

// The entry of the grid that a dialog's picture belongs to.
const seen = (dialog) => $("[data-from]", dialog)?.dataset.from;

export function startShell(htmx) {
  const search = () => $("#search input");

  on("click", (event) => {
    // Something was chosen.
    event.target.closest(".menu :is(a, button)")?.closest(".menu").hidePopover();
    const button = event.target.closest("button");
    if (!button) return;
    const { fill } = button.dataset;
    if (button.dataset.copy) copy(button).catch((fault) => fault.status || toast("offline"));
    if (fill) {
      $("#composer textarea").focus();
      $("#composer textarea").select();
      // As if it were typed, so that it can be undone.
      document.execCommand("insertText", false, fill);
    }
    // Browsers that don't know invoker commands yet.
    if (button.commandForElement === undefined && button.hasAttribute("commandfor"))
      document.getElementById(button.getAttribute("commandfor")).showModal();
  });

  on("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented) return;
    // A message that is said anew.
    const edit = event.target.closest("article form");
    if (edit && event.key === "Escape") {
      const cancel = $("[type=button]", edit);
      cancel.focus();
      return cancel.click();
    }
    if (edit && event.target.matches("textarea") && sends(event)) {
      event.preventDefault();
      return edit.requestSubmit();
    }
    const key = keys(event);
    const typing = event.target.matches("input, textarea, select");
    // What says itself by which key it is reached.
    if (!typing && !event.altKey) $$("[aria-keyshortcuts]", $(":modal") ?? document).find((it) => it.ariaKeyShortcuts.toLowerCase() === key)?.click();
    const act = {
      "ctrl+k": () => search() && (search().checkVisibility() || $("#drawer").showPopover(), search().focus()),
      "ctrl+shift+o": () => $("#new-chat")?.requestSubmit(),
      "escape": () => $(":modal, :popover-open") || stop(),
      "/": () => $("#composer textarea")?.focus(),
      "?": () => $("#help").showModal(),
    }[key];
    // A character alone is typed.
    if (act && (!typing || key.length > 1)) {
      if (key !== "escape") event.preventDefault();
      act();
    }
  });

  // While the sidebar lies over the page, it is a dialog that keeps the focus.
  on("beforetoggle", ({ target, newState }) => {
    if (target.id !== "drawer") return;
    const open = newState === "open";
    $("#main").inert = open;
    Object.assign(target, open ? { role: "dialog", ariaModal: "true", ariaLabel: "Sidebar" } : { role: null, ariaModal: null, ariaLabel: null });
    // What had the focus before was inert when the browser looked for it.
    if (!open) setTimeout(() => $("#main").contains(document.activeElement) || $("#main [popovertarget=drawer]")?.focus());
  }, true);
  const closeSidebar = () => $("#drawer:popover-open")?.hidePopover();
  matchMedia("(width >= 48rem)").onchange = closeSidebar;
  on("submit", ({ target }) => {
    // What is found stands under it.
    if (target.id === "search") closeSidebar();
    // Drafts are their writer's: they don't stay for the next one.
    if (target.matches('[action="/signout"]')) {
      for (const key of Object.keys(localStorage)) if (key.startsWith("draft:")) localStorage.removeItem(key);
    }
  });
  // What was begun in a dialog and left is not there when it is opened again.
  on("close", ({ target }) => {
    if (target.id !== "sheet") return;
    // Whoever went through pictures goes on at the one they saw last, or beside its place when it is gone.
    const from = seen(target);
    if (from) ($(`#${from}:not([hidden]) a, #${from} ~ :not([hidden]) a`) ?? $$("li[id^=image-]:not([hidden]) a").pop())?.focus();
    target.replaceChildren();
  }, true);

  // One could see it through a picture.
  on("load", ({ target }) => target.matches?.("[alt=''] + img") && (target.previousElementSibling.hidden = true), true);
  on("animationend", (event) => event.animationName === "toast" && event.target.remove());

  on("htmx:config:request", (event) => {
    const { request, sourceElement, sourceEvent } = event.detail.ctx;
    request.headers["X-CSRF-TOKEN"] = $("meta[name=csrf-token]").content;
    // What was to be found while typing is not wanted any more by whoever has gone elsewhere in between.
    if (sourceElement.id === "search" && sourceEvent.type === "input" && sourceEvent.target !== document.activeElement) event.preventDefault();
  });
  on("htmx:confirm", (event) => {
    const { ctx, issueRequest, dropRequest } = event.detail;
    if (!ctx.confirm) return;
    event.preventDefault();
    const dialog = $("#confirm");
    $("h2", dialog).textContent = ctx.confirm;
    dialog.returnValue = "";
    dialog.onclose = () => (dialog.returnValue ? issueRequest() : dropRequest());
    dialog.showModal();
  });
  // Searching while typing is one step back, not one for each letter.
  on("htmx:before:history:update", ({ detail: { history } }) => {
    if (location.pathname === "/search" && history.path.startsWith("/search")) history.type = "replace";
  });
  on("htmx:after:request", ({ detail: { ctx } }) => {
    const dialog = (ctx.request.submitter ?? ctx.sourceElement).closest("dialog");
    if (ctx.response.status < 400 && dialog !== ctx.target) dialog?.close();
  });
  on("htmx:error", ({ detail: { ctx } }) => {
    if (ctx && ctx.text == null && !ctx.sourceElement.matches("#composer, [hx-trigger*=refresh]")) toast("offline");
  });
  // The button for another version that was used last. What it stands in may be replaced more than once on the way there:
  // by what was asked for, by what an event has asked for, by another tab.
  let version;
  const versions = (article) => [article.dataset.message, ...$$("[name=messageId]", article).map((it) => it.value)];
  for (const type of ["focusin", "pointerdown"])
    on(type, ({ target }) => {
      const button = target.closest("article [name=messageId]");
      version = button && { title: button.title, ids: versions(button.closest("article")) };
    });
  // To where one writes; where that would bring a keyboard up over the page, to the page.
  const goOn = () => ((matchMedia("(pointer: fine)").matches && $("#composer textarea")) || $("#main")).focus({ preventScroll: true });
  // The place of a picture whose deletion was taken back. It may come with the grid that is fetched anew beside a drawing.
  let back;
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    markCurrent();
    back = ctx.sourceElement.dataset.back ?? back;
    const picture = back && $(`#${back} a`);
    if (picture) {
      back = null;
      // Unless somebody has gone on elsewhere meanwhile.
      if (document.activeElement === document.body) picture.focus();
    }
    if (version && !document.activeElement.matches(":enabled")) {
      // Another version of the message has come: the focus stays on the button, or goes to the one that leads back.
      const buttons = $$("article [name=messageId]:enabled").filter((it) => versions(it.closest("article")).some((id) => version.ids.includes(id)));
      (buttons.find((it) => it.title === version.title) ?? buttons[0])?.focus();
    }
    // Where a link leads to a message, as :target does without scripts.
    if (ctx.request.anchor) document.getElementById(ctx.request.anchor)?.setAttribute("data-target", "");
    if (ctx.target?.id === "sheet") {
      ctx.target.showModal();
      // Stepping from picture to picture, one comes to those that the grid has not loaded yet.
      const from = seen(ctx.target);
      if (from && !document.getElementById(from)) htmx.trigger("#more", "refresh");
    }
    if (ctx.target?.id === "toasts") closeSidebar();
    // What has come in place of the button that asked for it.
    if (ctx.sourceElement.matches("article")) $("textarea:focus", ctx.sourceElement)?.setSelectionRange(1e9, 1e9);
    const main = $("#main");
    // A target that depends on the status is still a selector here.
    const target = ctx.target?.matches ? ctx.target : $(ctx.target);
    // A swap that morphs keeps what was typed; a password that was sent is not to stay. After a reset it counts as one that
    // nobody has typed yet, and not as one that is missing.
    if (main.contains(target))
      for (const { form } of $$("[type=password]", main)) {
        for (const field of form) if (field.type !== "password") field.defaultValue = field.value;
        form.reset();
      }
    if (target?.matches("[tabindex='-1']:not(#main)")) target.focus();
    // The button that asked for another answer has gone with the one it stood at.
    if (ctx.sourceElement.id === "actions" && document.activeElement === document.body) goOn();
    if (target !== main || (ctx.sourceElement.id === "search" && document.activeElement !== document.body)) return;
    closeSidebar();
    if (ctx.response.status < 400) announce($("[role=status]", main)?.textContent || ctx.title || document.title);
    // What the page itself gave the focus to keeps it.
    if (main === document.activeElement || !main.contains(document.activeElement)) goOn();
  });
  markCurrent();
}
