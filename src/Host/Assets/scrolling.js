import { $, on } from "./dom.js";

// The view stays at the end while text comes, until the reader scrolls up; then it stays where it is.
let following = true;
let last = 0;

const scroller = () => $("#scroller");
const toEnd = (element) => element && (element.scrollTop = element.scrollHeight);

const grown = new ResizeObserver(() => {
  if (following) toEnd(scroller());
  moved();
});

function moved() {
  const element = scroller();
  if (!element) return;
  const below = element.scrollHeight - element.clientHeight - element.scrollTop;
  // Where more is to come below, this is not the end.
  if (below < 48) following = !$("[data-later]");
  // Growing content moves nobody up: only a reader does.
  else if (element.scrollTop < last) following = false;
  last = element.scrollTop;
  $("#jump").hidden = following || below < 48;
}

function watch() {
  grown.disconnect();
  const element = scroller();
  if (!element) return;
  grown.observe(element);
  grown.observe($("#transcript"));
}

export function toLatest() {
  following = true;
  // In the studio the newest stands first.
  toEnd(scroller()) ?? $("#stage")?.scrollIntoView();
  moved();
}

export function follow() {
  on("scroll", (event) => event.target.id === "scroller" && moved(), { capture: true, passive: true });
  on("click", (event) => event.target.closest("#jump") && toLatest());
  // Another page begins at its end, unless its address names a message. Earlier messages are added above what is read.
  let height;
  on("htmx:before:swap", ({ detail: { ctx } }) => {
    height = ctx.sourceElement?.matches("[data-earlier]") && scroller().scrollHeight - scroller().scrollTop;
  });
  on("htmx:after:swap", ({ detail: { ctx } }) => {
    watch();
    if (height) scroller().scrollTop = scroller().scrollHeight - height;
    else if (ctx.target?.id === "main" || ctx.sourceElement?.id === "composer") {
      last = 0;
      following = !ctx.request?.anchor;
      if (following) toLatest();
    }
  });
  following = !location.hash;
  watch();
}
