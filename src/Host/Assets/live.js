import { $, $$, announce, on, showModel, toast } from "./dom.js";
import { applyDelta, applyMore, createRealtime, dropBlocks, forgetDeltas, growing } from "./realtime.js";

/**
 * Keeps everything on the page that has a channel up to date. Its fragment carries the position its content stands at;
 * whenever it is swapped in, watching begins anew from there.
 */
export function goLive(htmx) {
  const watched = new Map();
  let state = "idle";
  // The indicator says of each state what stands on it. Going back brings another one.
  const showState = () => {
    const indicator = $("#connection");
    if (indicator.dataset.state === state) return;
    indicator.dataset.state = state;
    $(".dot + span", indicator).textContent = indicator.dataset[state];
  };
  const onState = (next) => {
    state = next;
    showState();
    // The browser's "online" says that there may be a network again; this, that the server is there.
    if (next === "connected" || next === "polling") document.dispatchEvent(new Event("reached"));
  };
  const realtime = createRealtime({ onState, onSignedOut: () => toast("signed-out") });
  const article = (n) => $("#m-" + n);
  const blocks = (n) => $(`#m-${n} [data-blocks]`);
  const refresh = (element) => element && htmx.trigger(element, "refresh");

  // A page is told only once that something has changed: it is fetched until it is there, whatever the server or the network
  // says in between.
  const misses = new WeakMap();
  on("htmx:finally:request", ({ detail: { ctx } }) => {
    const { request: { signal }, response, sourceElement: element } = ctx;
    const replaced = signal.aborted && signal.reason !== "timeout";
    if (replaced || !element.matches("[hx-trigger*=refresh]")) return;
    if (ctx.text != null && response.status < 500 && response.status !== 429) return misses.delete(element);
    const times = misses.get(element) ?? 0;
    misses.set(element, times + 1);
    setTimeout(() => element.isConnected && refresh(element), growing(1_000, times));
  });

  // The answer whose end is still to be told, and whether its beginning was. Events and fragments bring the same news, in
  // any order, so that what counts is what the page shows.
  let told = {};
  const say = () => {
    const answer = $("#transcript article:last-of-type[aria-busy]");
    if (answer && answer.id !== told.id) told = { id: answer.id, name: answer.dataset.name };
    if (answer?.dataset.status === "running" && !told.begun) {
      told.begun = true;
      announce(`${told.name} has begun.`);
    } else if (!answer && told.id) {
      announce($(`#${told.id} .markdown`)?.innerText || `${told.name} has ended.`);
      told = {};
    }
  };

  const events = {
    delta: (_, [n, ...deltas]) => applyDelta(blocks(n), deltas),
    "+": (_, [n, text]) => applyMore(blocks(n), text),
    begin: (_, [n, block]) => dropBlocks(blocks(n), block),
    think: (_, [n, offset, text]) => {
      const element = $(`#m-${n} [data-think]`);
      if (element) element.textContent = element.textContent.slice(0, offset) + text;
    },
    status: (_, { n, st, t }) => {
      const message = article(n);
      if (!message) return;
      message.dataset.status = st;
      say();
      $("[data-state]", message)?.replaceChildren(t);
    },
    done: (_, { n, st }) => {
      const message = article(n);
      if (!message) return;
      message.dataset.status = st;
      message.ariaBusy = null;
      // Once the last delta is on the page.
      requestAnimationFrame(() => setTimeout(say));
    },
    changed: (_, { n }) => refresh(article(n)),
    tree: refresh,
    conversations: refresh,
    title: (_, { t }) => {
      $("#title").textContent = t;
      document.title = document.title.replace(/.*(?= · )/, () => t);
    },
    model: (_, { m }) => showModel(m),
    deleted: () => {
      // Whoever is on the way to another page goes there.
      $("#main.htmx-request") || $("#new-chat").requestSubmit();
      // The tab that did it is told by its own request, with the way back; that may be still under way.
      if (document.hidden || !$("#toasts form, #list-actions.htmx-request")) toast("deleted");
    },
    "signed-out": () => toast("signed-out"),
  };

  function watch(element) {
    const { channel, pos } = element.dataset;
    watched.set(channel, element);
    realtime.watch(channel, pos, {
      event: (type, data) => events[type]?.(element, data),
      reset: (code) => code === "not_found" || refresh(element),
    });
  }

  const watchIn = (root) => {
    if (!root.matches) return;
    if (root.matches("[data-channel]")) watch(root);
    $$("[data-channel]", root).forEach(watch);
    $$("[data-blocks]", root).forEach(forgetDeltas);
  };

  on("click", ({ target }) => target.closest("#connection button") && realtime.retry());
  on("htmx:after:settle", ({ detail: { newContent } }) => {
    showState();
    newContent.forEach(watchIn);
    for (const [channel, element] of watched) {
      if (element.isConnected) continue;
      watched.delete(channel);
      realtime.unwatch(channel);
    }
    say();
  });
  watchIn(document.documentElement);
  say();
}
