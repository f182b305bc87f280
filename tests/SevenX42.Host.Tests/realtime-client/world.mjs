// What the client finds around it in a browser: sockets, requests, a clock and a page, all in the test's hands.
import assert from "node:assert/strict";
import { mock } from "node:test";

export class Socket {
  static all = [];
  readyState = 0;
  sent = [];

  constructor(url, protocols) {
    this.url = String(url);
    this.protocols = protocols;
    Socket.all.push(this);
  }

  send(text) {
    assert.equal(this.readyState, 1);
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.closedByClient = true;
    this.readyState = 2;
  }

  // The server's side.
  accept(hello = {}) {
    this.readyState = 1;
    this.push({ op: "hello", conn: "x", beat: 25, window: 65536, max: 16384, ...hello });
  }

  push(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  end(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  /** Answers every subscription that has no answer yet. */
  confirm(recovered = true) {
    for (const { op, id, ch, pos } of this.sent) {
      if (op !== "sub" || this.answered?.has(id)) continue;
      (this.answered ??= new Map()).set(id, ch);
      this.push({ op: "subbed", id, c: id, pos: pos ?? "e:0", recovered });
    }
  }

  of(op) {
    return this.sent.filter((m) => m.op === op);
  }
}

/** A world in which tokens are issued and polls are answered by `world.poll`; nothing else happens by itself. */
export function createWorld() {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"], now: 1_700_000_000_000 });
  Socket.all = [];
  const page = new EventTarget();
  const world = {
    page,
    tokens: 0,
    polls: [],
    hurried: [],
    states: [],
    faults: [],
    signedOut: 0,
    token: () => Response.json({ token: `t${++world.tokens}`, expires: 300 }),
    poll: () => new Promise(() => {}),
    get socket() {
      return Socket.all.at(-1);
    },
    sockets: Socket.all,
    /** Moves the clock, letting what was due happen in order. */
    async pass(ms) {
      for (; ms > 0; ms -= 250) {
        mock.timers.tick(Math.min(ms, 250));
        await settle();
      }
    },
    options: { onState: (s) => world.states.push(s), onSignedOut: () => world.signedOut++ },
    dispose() {
      mock.timers.reset();
      delete globalThis.document;
    },
  };
  globalThis.WebSocket = Socket;
  globalThis.location = { href: "https://chat.example/c/1" };
  globalThis.reportError = (error) => world.faults.push(error);
  globalThis.addEventListener = page.addEventListener.bind(page);
  // Node has one from version 21 on, and no setter for it.
  Object.defineProperty(globalThis, "navigator", { value: { onLine: true }, configurable: true });
  globalThis.document = Object.assign(new EventTarget(), {
    hidden: false,
    querySelector: (selector) => (selector === "meta[name=csrf-token]" ? { content: "csrf" } : null),
  });
  globalThis.fetch = async (url, init) => {
    if (url === "/realtime/token") {
      assert.equal(init.method, "POST");
      assert.equal(init.headers["X-CSRF-TOKEN"], "csrf");
      return world.token();
    }
    const query = new URL(url, "https://chat.example").searchParams;
    const asked = query.getAll("ch").map((ch, i) => ({ ch, pos: query.getAll("pos")[i] }));
    world.polls.push(asked);
    world.hurried.push(query.has("now"));
    return new Promise((resolve, reject) => {
      init.signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
      Promise.resolve(world.poll(asked)).then(resolve, reject);
    });
  };
  return world;
}

export const settle = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** What a page does with a channel: keeps what came. */
export function follower() {
  const seen = { events: [], resets: [] };
  seen.handlers = {
    event: (type, data, seq) => seen.events.push([seq, type, data]),
    reset: (code) => seen.resets.push(code),
  };
  return seen;
}
