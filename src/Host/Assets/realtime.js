// The browser's side of 7x42.v1: one WebSocket for all channels of the page, polling where none gets through. A channel is a
// position in a log; whatever happens to the connection, the next one goes on from there.
const protocol = "7x42.v1";
const signedOut = 4503;
const malformed = 4500;
const tokenExpired = 4401;
const slowDown = 4429;
const restarting = 1012;
const helloLimit = 8_000;
const pollLimit = 40_000;
const pollPace = 300;
const ackPace = 500;
const acksAtOnce = 8;
const longest = 30_000;
// A server that is merely started again is back within this time, and somebody waits for it.
const impatience = 120_000;
const longestAtFirst = 5_000;

const jitter = (ms) => ms * (0.5 + Math.random() / 2);
/** How long to wait after so many attempts in a row that failed, in milliseconds. */
export const growing = (first, times, most = longest) => jitter(Math.min(most, first * 2 ** times));

/**
 * Keeps channels up to date.
 * @param {{ onState: (state: "connected" | "connecting" | "polling" | "offline") => void, onSignedOut: () => void }} page
 */
export function createRealtime({ onState, onSignedOut }) {
  const watches = new Map(); // by channel
  const trouble = new Map(); // by channel: how often it had to begin again, and when last
  const asked = new Map(); // by id of the subscription
  const byNumber = new Map();
  const unacknowledged = new Set();
  let state;
  let socket; // from the attempt to its end
  let open = false; // between hello and the end
  let lived = false; // something came after hello
  let failures = 0; // attempts in a row that led to nothing
  let lost = 0; // when the last connection ended that was one
  let stopped = false;
  let suspended = false;
  let socketless = false;
  let token;
  let tokenUntil = 0;
  let lastId = 0;
  let heard = 0;
  let beat = 25_000;
  let credit = 16_384;
  let comeBackAfter;
  let retryTimer, helloTimer, ackTimer, authTimer, watchdog;
  let acknowledged = 0;
  let polling; // the run of the loop that may go on
  let wakePoll = () => {};

  const show = (next) => next === state || onState((state = next));
  const send = (message) => socket?.readyState === 1 && socket.send(JSON.stringify(message));
  const isCurrent = (watch) => watches.get(watch.channel) === watch;
  const patience = () => (Date.now() - lost < impatience ? longestAtFirst : longest);

  // ---- tokens

  async function getToken() {
    if (token && Date.now() < tokenUntil - 10_000) return token;
    const csrf = document.querySelector("meta[name=csrf-token]").content;
    const response = await fetch("/realtime/token", { method: "POST", headers: { "X-CSRF-TOKEN": csrf, Accept: "application/json" } });
    if (response.status === 401) signOut();
    if (!response.ok) throw new Error(`no token: ${response.status}`);
    const issued = await response.json();
    tokenUntil = Date.now() + issued.expires * 1000;
    return (token = issued.token);
  }

  function renewLater(ms = (tokenUntil - Date.now()) * 0.8) {
    clearTimeout(authTimer);
    authTimer = setTimeout(async () => {
      const mine = socket;
      try {
        token = undefined;
        const renewed = await getToken();
        if (mine === socket && open) send({ op: "auth", token: renewed });
      } catch {
        if (mine === socket && open) renewLater(5_000);
      }
    }, ms);
  }

  function signOut() {
    if (stopped) return;
    stop();
    show("offline");
    onSignedOut();
  }

  // ---- channels

  /** Puts a watch aside until the page has fetched the snapshot and watches from its position; asks again if it does not. */
  function park(watch, code) {
    if (watch.parked || !isCurrent(watch)) return;
    watch.parked = true;
    forget(watch);
    const before = trouble.get(watch.channel);
    const times = before && Date.now() - before.at < 60_000 ? before.times + 1 : 0;
    trouble.set(watch.channel, { times, at: Date.now() });
    let round = times;
    const ask = () => {
      if (!isCurrent(watch)) return;
      watch.timer = setTimeout(ask, growing(5_000, round++));
      guard(() => watch.reset(code));
    };
    watch.timer = setTimeout(ask, times ? growing(250, times) : 0);
  }

  function deny(watch, code) {
    // Without the log, the page is fetched from time to time: the database has what was written so far.
    if (code === "unavailable") return park(watch, code);
    forget(watch);
    watches.delete(watch.channel);
    guard(() => watch.reset(code));
  }

  function deliver(watch, events) {
    for (const [seq, type, data] of events) {
      if (!isCurrent(watch) || watch.parked) return;
      watch.seq = seq;
      watch.pos = watch.pos.replace(/\d+$/, seq);
      if (!guard(() => watch.event(type, data, seq))) return park(watch, "fault");
    }
  }

  function guard(action) {
    try {
      action();
      return true;
    } catch (error) {
      reportError(error);
      return false;
    }
  }

  function forget(watch) {
    asked.delete(watch.id);
    byNumber.delete(watch.number);
    unacknowledged.delete(watch);
    watch.number = undefined;
  }

  function subscribe(watch) {
    if (!open || watch.parked) return;
    forget(watch);
    watch.id = ++lastId;
    asked.set(watch.id, watch);
    send({ op: "sub", id: watch.id, ch: watch.channel, pos: watch.pos });
  }

  function acknowledge(watch, bytes) {
    watch.unread += bytes;
    unacknowledged.add(watch);
    // Timers sleep in hidden tabs; messages don't, so that the clock is looked at here too.
    if (watch.unread > credit || Date.now() - acknowledged >= ackPace) flushAcks();
    else ackTimer ??= setTimeout(flushAcks, ackPace);
  }

  function flushAcks() {
    clearTimeout(ackTimer);
    ackTimer = undefined;
    acknowledged = Date.now();
    let left = acksAtOnce;
    for (const watch of unacknowledged) {
      if (!left--) {
        ackTimer = setTimeout(flushAcks, ackPace);
        return;
      }
      unacknowledged.delete(watch);
      watch.unread = 0;
      send({ op: "ack", c: watch.number, seq: watch.seq });
    }
  }

  // ---- socket

  async function connect() {
    clearTimeout(retryTimer);
    if (stopped || suspended || socketless || socket) return;
    const mine = (socket = {});
    if (!polling) show(navigator.onLine ? "connecting" : "offline");
    try {
      const ours = await getToken();
      if (socket !== mine) return;
      // In full: older browsers take neither a path alone nor http.
      const address = new URL("/realtime", location.href);
      address.protocol = address.protocol.replace("http", "ws");
      socket = new WebSocket(address, [protocol, `jwt.${ours}`]);
    } catch {
      if (socket === mine) ended(0);
      return;
    }
    const it = socket;
    heard = Date.now();
    helloTimer = setTimeout(() => drop(0), helloLimit);
    it.onmessage = ({ data }) => it === socket && receive(data);
    it.onclose = ({ code }) => it === socket && ended(code);
  }

  /** Gives a socket up at once: on a dead network its close handshake would take minutes. */
  function drop(code) {
    const it = socket;
    ended(code);
    it?.close?.();
  }

  function ended(code) {
    for (const timer of [helloTimer, ackTimer, authTimer, retryTimer]) clearTimeout(timer);
    clearInterval(watchdog);
    socket = ackTimer = undefined;
    open = false;
    for (const watch of watches.values()) forget(watch);
    asked.clear();
    byNumber.clear();
    if (stopped || suspended) return;
    if (code === signedOut) return signOut();
    if (code === tokenExpired) token = undefined;
    socketless = code === malformed;
    if (lived) lost = Date.now();
    else failures++;
    let wait = lived ? jitter(1_000) : growing(500, failures, patience());
    if (code === restarting && comeBackAfter !== undefined) wait = jitter(comeBackAfter * 2);
    if (code === slowDown) wait += 5_000;
    lived = false;
    comeBackAfter = undefined;
    if (failures || socketless) poll();
    else show("connecting");
    if (!socketless) retryTimer = setTimeout(connect, wait);
  }

  function receive(data) {
    heard = Date.now();
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      return drop(0);
    }
    if (open && !lived) {
      lived = true;
      failures = 0;
    }
    if (Array.isArray(message)) {
      const [number, ...events] = message;
      const watch = byNumber.get(number);
      if (!watch) return;
      deliver(watch, events);
      if (byNumber.get(number) === watch) acknowledge(watch, data.length);
      return;
    }
    handlers[message.op]?.(message);
  }

  const handlers = {
    hello(message) {
      clearTimeout(helloTimer);
      open = true;
      beat = message.beat * 1000;
      credit = message.window / 4;
      watchdog = setInterval(() => Date.now() - heard > 2 * beat + 5_000 && drop(0), 5_000);
      polling = undefined;
      wakePoll();
      show("connected");
      renewLater();
      for (const watch of watches.values()) subscribe(watch);
    },
    subbed({ id, c, pos, recovered }) {
      const watch = asked.get(id);
      asked.delete(id);
      if (!watch) return send({ op: "unsub", c });
      if (!recovered) return park(watch, "gap");
      watch.number = c;
      watch.pos = pos;
      byNumber.set(c, watch);
    },
    denied({ id, code }) {
      // Also later, when the channel is lost while it is followed.
      const watch = [...watches.values()].find((w) => w.id === id);
      if (watch) deny(watch, code);
    },
    reset({ c, code }) {
      const watch = byNumber.get(c);
      if (watch) park(watch, code);
    },
    authed: () => renewLater(),
    beat: () => send({ op: "beat" }),
    bye: ({ after }) => (comeBackAfter = after),
    error({ code, retry }) {
      // A subscription may be among what was dropped; one that was not is merely replaced.
      if (code === "rate_limited") setTimeout(() => [...asked.values()].forEach(subscribe), retry + 1_000);
    },
  };

  // ---- polling

  async function poll() {
    if (polling) return;
    const mine = (polling = {});
    let misses = 0;
    while (polling === mine) {
      const started = Date.now();
      const abort = new AbortController();
      const limit = setTimeout(() => abort.abort(), pollLimit);
      let woken = false;
      wakePoll = () => ((woken = true), abort.abort());
      let wait = pollPace;
      try {
        const due = [...watches.values()].filter((w) => !w.parked);
        if (due.length) misses = await pollOnce(due, abort.signal, misses);
        if (misses < 0) return;
        wait = misses ? growing(1_000, misses, patience()) : due.length ? pollPace : 1_000;
      } catch {
        if (woken) continue;
        wait = growing(500, ++misses, patience());
        if (polling === mine) show("offline");
      } finally {
        clearTimeout(limit);
      }
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, Math.max(0, wait - (Date.now() - started)));
        wakePoll = () => (clearTimeout(timer), resolve());
      });
    }
  }

  async function pollOnce(due, signal, misses) {
    const query = new URLSearchParams();
    for (const { channel, pos } of due) {
      query.append("ch", channel);
      query.append("pos", pos ?? "");
    }
    // Until it is known that polls get through, an answer matters more than that there is something in it.
    if (state !== "polling") query.append("now", "");
    const response = await fetch(`/realtime/poll?${query}`, { signal, cache: "no-store", headers: { Accept: "application/json" } });
    if (response.status === 401) {
      signOut();
      return -1;
    }
    if (!response.ok) return misses + 1;
    const { channels } = await response.json();
    if (!polling || signal.aborted) return 0;
    show("polling");
    for (const { ch, pos, recovered, ev, code } of channels) {
      const watch = due.find((w) => w.channel === ch);
      if (!watch || !isCurrent(watch)) continue;
      if (recovered === false) park(watch, code ?? "gap");
      else if (code) deny(watch, code);
      else {
        watch.pos ??= pos;
        deliver(watch, ev);
        if (isCurrent(watch) && !watch.parked) watch.pos = pos;
      }
    }
    return 0;
  }

  // ---- the page

  function start() {
    if (stopped || suspended || !watches.size) return;
    if (socket || polling) wakePoll();
    else connect();
  }

  /** Something says that the network may be there again: don't wait for the next attempt. */
  function wake({ type }) {
    if (suspended || (type !== "online" && document.hidden)) return;
    if (open) {
      // What was open before the network went is not to be trusted, nor what slept through its beats.
      if (type !== "online" && Date.now() - heard < beat + 5_000) return;
      drop(0);
    }
    retry();
  }

  function retry() {
    failures = Math.min(failures, 1);
    wakePoll();
    if (watches.size) connect();
  }

  function hangUp() {
    polling = undefined;
    wakePoll();
    drop(0);
  }

  addEventListener("online", wake);
  document.addEventListener("visibilitychange", wake);
  addEventListener("offline", () => show("offline"));
  addEventListener("pagehide", () => {
    // A page with an open socket is not kept for going back.
    suspended = true;
    hangUp();
  });
  addEventListener("pageshow", ({ persisted }) => {
    suspended = false;
    if (persisted) start();
  });

  function stop() {
    stopped = true;
    hangUp();
    for (const { timer } of watches.values()) clearTimeout(timer);
    watches.clear();
  }

  function unwatch(channel) {
    const watch = watches.get(channel);
    if (!watch) return;
    watches.delete(channel);
    clearTimeout(watch.timer);
    if (watch.number !== undefined) send({ op: "unsub", c: watch.number });
    forget(watch);
    if (polling) wakePoll();
  }

  return {
    /**
     * Follows a channel from the position that the page's content stands at. Watching it again replaces what was: the new
     * content stands elsewhere.
     * @param {string} channel
     * @param {string | undefined} pos from now on when there is none
     * @param {{ event(type: string, data: any, seq: number): void, reset(code: string): void }} handlers `reset` means:
     *   fetch the content anew and watch from its position ("not_found": there is nothing to follow any more)
     */
    watch(channel, pos, { event, reset }) {
      const before = watches.get(channel);
      const watch = { channel, pos, event, reset, seq: 0, unread: 0 };
      if (before) {
        clearTimeout(before.timer);
        forget(before);
      }
      watches.set(channel, watch);
      if (open) subscribe(watch);
      else start();
    },
    unwatch,
    /** Tries to connect now instead of when it is due. */
    retry,
    close: stop,
  };
}

// ---- streamed HTML

const texts = new WeakMap(); // container → HTML of each block as it came: the DOM would give it back re-serialised
let changed = new Map(); // container → blocks to put on the page in the next frame

/** What `text` becomes when of it the first `keep` and the last `keepEnd` characters stay around `inserted`. */
export function patch(text, keep, inserted, keepEnd) {
  if (keep + keepEnd > text.length) throw new RangeError("a delta for text that is not there");
  return text.slice(0, keep) + inserted + text.slice(text.length - keepEnd);
}

/** Applies deltas `[block, keep, inserted, keepEnd]` to the blocks in a container; they show with the next frame. */
export function applyDelta(container, deltas) {
  if (!container) return;
  if (!texts.has(container)) texts.set(container, []);
  const blocks = texts.get(container);
  if (!changed.size) requestAnimationFrame(render);
  if (!changed.has(container)) changed.set(container, new Set());
  for (const [block, keep, inserted, keepEnd] of deltas) {
    // The page may have come with the block's beginning. A sanitiser wrote that as the DOM writes it.
    blocks[block] ??= container.querySelector(`:scope > [data-block="${block}"]`)?.innerHTML ?? "";
    blocks[block] = patch(blocks[block], keep, inserted, keepEnd);
    blocks.caret = [block, keep + inserted.length, keepEnd];
    changed.get(container).add(block);
  }
}

/** Inserts more text where the last delta of a container ended. */
export function applyMore(container, inserted) {
  if (!container) return;
  const { caret } = texts.get(container) ?? [];
  if (!caret) throw new RangeError("more for a delta that never came");
  applyDelta(container, [[caret[0], caret[1], inserted, caret[2]]]);
}

/** The blocks of a container from this one on are void. */
export function dropBlocks(container, first) {
  const count = Math.max(texts.get(container)?.length ?? 0, +(container?.lastElementChild?.dataset.block ?? -1) + 1);
  if (first < count) applyDelta(container, Array.from({ length: count - first }, (_, i) => [first + i, 0, "", 0]));
}

/** Another content has come into a container: the next deltas build on that. */
export function forgetDeltas(container) {
  texts.delete(container);
  changed.delete(container);
}

function render() {
  const due = changed;
  changed = new Map();
  for (const [container, blocks] of due) {
    for (const block of blocks) {
      const template = document.createElement("template");
      template.innerHTML = texts.get(container)[block];
      morph(blockOf(container, block), template.content);
    }
  }
}

function blockOf(container, block) {
  let next = container.firstElementChild;
  while (next && +next.dataset.block < block) next = next.nextElementSibling;
  if (next && +next.dataset.block === block) return next;
  const element = document.createElement("div");
  element.dataset.block = block;
  container.insertBefore(element, next);
  return element;
}

/** Makes `from` contain what `to` contains, leaving alone what is the same: selection, focus and scrolling stay. */
export function morph(from, to) {
  let old = from.firstChild;
  for (const wanted of [...to.childNodes]) {
    const next = old?.nextSibling;
    if (!old) from.append(wanted);
    else if (old.nodeType === 3 && wanted.nodeType === 3) {
      if (!wanted.data.startsWith(old.data)) old.data = wanted.data;
      else if (wanted.data !== old.data) old.appendData(wanted.data.slice(old.data.length));
    } else if (old.nodeType === 1 && old.cloneNode().isEqualNode(wanted.cloneNode())) morph(old, wanted);
    else old.replaceWith(wanted);
    old = next;
  }
  while (old) {
    const next = old.nextSibling;
    old.remove();
    old = next;
  }
}
