import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { createRealtime } from "../../../src/Host/Assets/realtime.js";
import { createWorld, follower, settle } from "./world.mjs";

let world, rt, seen;

beforeEach(() => {
  world = createWorld();
  rt = createRealtime(world.options);
  seen = follower();
});

afterEach(() => {
  rt.close();
  world.dispose();
});

async function connected(...channels) {
  for (const channel of channels.length ? channels : ["room/1"]) rt.watch(channel, "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.confirm();
}

test("nothing happens before there is something to watch", async () => {
  await world.pass(60_000);
  assert.deepEqual([world.sockets.length, world.tokens, world.states.length], [0, 0, 0]);
});

test("it connects with protocol and token, and subscribes from the page's position", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  assert.deepEqual(world.socket.protocols, ["7x42.v1", "jwt.t1"]);
  assert.equal(world.socket.url, "wss://chat.example/realtime");
  assert.deepEqual(world.states, ["connecting"]);
  world.socket.accept();
  assert.deepEqual(world.socket.sent, [{ op: "sub", id: 1, ch: "room/1", pos: "e:5" }]);
  assert.deepEqual(world.states, ["connecting", "connected"]);
});

test("events reach the page and move the position", async () => {
  rt.watch("room/1", "e2:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.confirm();
  world.socket.push([1, [6, "a", { x: 1 }], [9, "b", null]]);
  assert.deepEqual(seen.events, [[6, "a", { x: 1 }], [9, "b", null]]);
  world.socket.end();
  await world.pass(1_500);
  world.socket.accept();
  assert.deepEqual(world.socket.of("sub").map((s) => s.pos), ["e2:9"]);
});

test("after a cut it subscribes again from where it had come to", async () => {
  await connected();
  world.socket.push([1, [7, "a", 0]]);
  world.socket.end();
  await world.pass(1_500);
  assert.equal(world.sockets.length, 2);
  world.socket.accept();
  assert.deepEqual(world.socket.of("sub").map((s) => s.pos), ["e:7"]);
  assert.deepEqual(world.states, ["connecting", "connected", "connecting", "connected"]);
});

test("acknowledgements are gathered: one at once, then two a second", async () => {
  await connected();
  for (let seq = 6; seq < 106; seq++) {
    world.socket.push([1, [seq, "a", 0]]);
    await world.pass(33);
  }
  const acks = world.socket.of("ack");
  assert.equal(acks[0].seq, 6);
  assert.ok(acks.length >= 6 && acks.length <= 9, `${acks.length}`);
  await world.pass(1_000);
  assert.deepEqual(world.socket.sent.at(-1), { op: "ack", c: 1, seq: 105 });
});

test("a quarter of the window is acknowledged without waiting", async () => {
  await connected();
  world.socket.push([1, [6, "a", 0]]);
  world.socket.push([1, [7, "a", "x".repeat(17_000)]]);
  assert.deepEqual(world.socket.of("ack").map((a) => a.seq), [6, 7]);
});

test("a frame without progress is acknowledged too, or the window would never empty", async () => {
  await connected();
  world.socket.push([1, [5, "a", 0]]);
  assert.deepEqual(world.socket.of("ack"), [{ op: "ack", c: 1, seq: 5 }]);
});

test("many channels are acknowledged without breaking the server's rate limit", async () => {
  const channels = Array.from({ length: 30 }, (_, i) => `room/${i}`);
  await connected(...channels);
  const before = world.socket.sent.length;
  for (let round = 0; round < 20; round++) {
    for (let c = 1; c <= 30; c++) world.socket.push([c, [6 + round, "a", 0]]);
    await world.pass(500);
  }
  assert.ok(world.socket.sent.length - before <= 20 * 10 + 20, `${world.socket.sent.length - before}`);
  await world.pass(3_000);
  for (let c = 1; c <= 30; c++) assert.equal(world.socket.of("ack").findLast((a) => a.c === c).seq, 25);
});

test("beats are answered", async () => {
  await connected();
  world.socket.push({ op: "beat" });
  assert.deepEqual(world.socket.sent.at(-1), { op: "beat" });
});

test("a socket without beats is given up within a minute", async () => {
  await connected();
  const silent = world.socket;
  await world.pass(54_000);
  assert.equal(world.sockets.length, 1);
  await world.pass(7_500);
  assert.ok(silent.closedByClient);
  assert.equal(world.sockets.length, 2);
});

test("beats keep it", async () => {
  await connected();
  for (let i = 0; i < 8; i++) {
    await world.pass(25_000);
    world.socket.push({ op: "beat" });
  }
  assert.equal(world.sockets.length, 1);
});

test("what cannot be recovered asks the page for the snapshot, and waits for its position", async () => {
  rt.watch("room/1", "old:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.confirm(false);
  await world.pass(250);
  assert.deepEqual(seen.resets, ["gap"]);
  world.socket.push([1, [6, "a", 0]]);
  assert.deepEqual(seen.events, []);
  rt.watch("room/1", "new:2", seen.handlers);
  assert.deepEqual(world.socket.of("sub").at(-1), { op: "sub", id: 2, ch: "room/1", pos: "new:2" });
  world.socket.confirm();
  world.socket.push([2, [3, "b", 0]]);
  assert.deepEqual(seen.events, [[3, "b", 0]]);
});

test("a page that could not fetch the snapshot is asked again", async () => {
  await connected();
  world.socket.push({ op: "reset", c: 1, pos: "f:0", code: "epoch" });
  await world.pass(30_000);
  assert.ok(seen.resets.length >= 3, `${seen.resets.length}`);
  assert.ok(seen.resets.every((code) => code === "epoch"));
  const asked = seen.resets.length;
  rt.watch("room/1", "f:0", seen.handlers);
  world.socket.confirm();
  await world.pass(60_000);
  assert.equal(seen.resets.length, asked);
});

test("a channel that begins again and again is asked for less and less often", async () => {
  await connected();
  let rounds = 0;
  const handlers = { event() {}, reset: () => { rounds++; rt.watch("room/1", "e:5", handlers); } };
  rt.watch("room/1", "e:5", handlers);
  for (let i = 0; i < 240; i++) {
    world.socket.confirm(false);
    await world.pass(250);
  }
  assert.ok(rounds >= 4 && rounds <= 15, `${rounds}`);
});

test("a handler that fails is reported and begins again from the snapshot", async () => {
  rt.watch("room/1", "e:5", { event() { throw new Error("planted"); }, reset: seen.handlers.reset });
  await settle();
  world.socket.accept();
  world.socket.confirm();
  world.socket.push([1, [6, "a", 0], [7, "b", 0]]);
  await world.pass(250);
  assert.deepEqual(world.faults.map((f) => f.message), ["planted"]);
  assert.deepEqual(seen.resets, ["fault"]);
});

test("watching again replaces: what is still on its way for the old is not shown", async () => {
  await connected();
  const newer = follower();
  rt.watch("room/1", "e:9", newer.handlers);
  world.socket.push([1, [6, "a", 0]]);
  world.socket.confirm();
  world.socket.push([1, [7, "b", 0]]);
  world.socket.push([2, [10, "c", 0]]);
  assert.deepEqual([seen.events, newer.events], [[], [[10, "c", 0]]]);
});

test("an old answer that comes late is given back", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  rt.unwatch("room/1");
  world.socket.confirm();
  assert.deepEqual(world.socket.sent.at(-1), { op: "unsub", c: 1 });
});

test("what is not watched any more is unsubscribed, by the number it has now", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.confirm();
  rt.watch("room/1", "e:6", seen.handlers);
  world.socket.confirm();
  rt.unwatch("room/1");
  assert.deepEqual(world.socket.of("unsub"), [{ op: "unsub", c: 2 }]);
});

test("watching anew while events are handled takes effect at once", async () => {
  const watched = [];
  rt.watch("room/1", "e:5", {
    event: (type, _, seq) => { watched.push(seq); rt.watch("room/1", "e:8", seen.handlers); },
    reset() {},
  });
  await settle();
  world.socket.accept();
  world.socket.confirm();
  world.socket.push([1, [6, "a", 0], [7, "b", 0]]);
  assert.deepEqual(watched, [6]);
  assert.equal(world.socket.of("ack").length, 0);
  assert.equal(world.socket.of("sub").at(-1).pos, "e:8");
});

test("a channel that is denied is told once and left", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.push({ op: "denied", id: 1, code: "not_found" });
  assert.deepEqual(seen.resets, ["not_found"]);
  world.socket.end();
  await world.pass(5_000);
  assert.equal(world.sockets.length, 2);
  world.socket.accept();
  assert.equal(world.socket.of("sub").length, 0);
});

test("a channel that is lost while it is followed is told too", async () => {
  await connected();
  world.socket.push({ op: "denied", id: 1, code: "not_found" });
  assert.deepEqual(seen.resets, ["not_found"]);
});

test("a channel that is not available now has its page fetched, at once and then less and less often", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.push({ op: "denied", id: 1, code: "unavailable" });
  await world.pass(1);
  assert.deepEqual(seen.resets, ["unavailable"]);
  for (const [i, longest] of [500, 1_000, 2_000].entries()) {
    rt.watch("room/1", "unknown-place:0", seen.handlers);
    world.socket.push({ op: "denied", id: world.socket.of("sub").at(-1).id, code: "unavailable" });
    await world.pass(longest / 2 - 1);
    assert.equal(seen.resets.length, i + 1);
    await world.pass(longest / 2 + 1);
    assert.equal(seen.resets.length, i + 2);
  }
});

test("the token is renewed on the open socket before it expires", async () => {
  await connected();
  world.socket.push({ op: "beat" });
  for (let i = 0; i < 10; i++) {
    await world.pass(25_000);
    world.socket.push({ op: "beat" });
  }
  assert.deepEqual(world.socket.of("auth"), [{ op: "auth", token: "t2" }]);
  world.socket.push({ op: "authed", expires: 300 });
  for (let i = 0; i < 10; i++) {
    await world.pass(25_000);
    world.socket.push({ op: "beat" });
  }
  assert.deepEqual(world.socket.of("auth").map((a) => a.token), ["t2", "t3"]);
  assert.equal(world.sockets.length, 1);
});

test("an expired token is replaced, a good one used again", async () => {
  await connected();
  world.socket.end();
  await world.pass(1_500);
  assert.equal(world.socket.protocols[1], "jwt.t1");
  world.socket.accept();
  world.socket.confirm();
  world.socket.end(4401);
  await world.pass(1_500);
  assert.equal(world.socket.protocols[1], "jwt.t2");
});

test("a restarting server is left for as long as it says", async () => {
  await connected();
  world.socket.push({ op: "bye", after: 4_000 });
  world.socket.end(1012);
  await world.pass(3_750);
  assert.equal(world.sockets.length, 1);
  await world.pass(4_500);
  assert.equal(world.sockets.length, 2);
});

test("who is too fast waits longer", async () => {
  await connected();
  world.socket.end(4429);
  await world.pass(5_000);
  assert.equal(world.sockets.length, 1);
  await world.pass(1_500);
  assert.equal(world.sockets.length, 2);
});

test("signing out ends it for good", async () => {
  await connected();
  world.socket.end(4503);
  await world.pass(120_000);
  assert.deepEqual([world.sockets.length, world.polls.length, world.signedOut], [1, 0, 1]);
  assert.equal(world.states.at(-1), "offline");
});

test("without a session there is no token, and that is the end", async () => {
  world.token = () => new Response("", { status: 401 });
  rt.watch("room/1", "e:5", seen.handlers);
  await world.pass(120_000);
  assert.deepEqual([world.sockets.length, world.polls.length, world.signedOut], [0, 0, 1]);
});

test("dropped subscriptions are sent again", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.push({ op: "error", code: "rate_limited", retry: 50 });
  await world.pass(1_250);
  assert.deepEqual(world.socket.of("sub").map((s) => s.id), [1, 2]);
});

test("when the network comes back it connects at once", async () => {
  await connected();
  const before = world.socket;
  world.page.dispatchEvent(new Event("offline"));
  assert.equal(world.states.at(-1), "offline");
  world.page.dispatchEvent(new Event("online"));
  await settle();
  assert.ok(before.closedByClient);
  assert.equal(world.sockets.length, 2);
});

test("a tab that slept through its beats connects anew when it is looked at", async () => {
  await connected();
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(world.sockets.length, 1);
  await world.pass(31_000);
  document.dispatchEvent(new Event("visibilitychange"));
  await settle();
  assert.equal(world.sockets.length, 2);
});

test("a page that is put aside closes its socket and comes back with it", async () => {
  await connected();
  const before = world.socket;
  world.page.dispatchEvent(new Event("pagehide"));
  assert.ok(before.closedByClient);
  await world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  world.page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await settle();
  assert.equal(world.sockets.length, 2);
  world.socket.accept();
  assert.deepEqual(world.socket.of("sub").map((s) => s.pos), ["e:5"]);
});

test("operations of a later protocol are ignored", async () => {
  await connected();
  world.socket.push({ op: "presence", who: [] });
  world.socket.push([99, [1, "a", 0]]);
  assert.deepEqual([seen.events, world.faults], [[], []]);
});

test("reconnecting is spread", async () => {
  const waits = new Set();
  for (let i = 0; i < 20; i++) {
    await connected();
    const count = world.sockets.length;
    world.socket.end();
    let ms = 0;
    for (; world.sockets.length === count; ms += 50) await world.pass(50);
    waits.add(ms);
  }
  assert.ok(waits.size >= 4, [...waits].join());
  assert.ok(Math.max(...waits) <= 1_100);
});

test("for two minutes it waits at most five seconds between attempts, then longer", async () => {
  await connected();
  const tries = [];
  world.token = () => (tries.push(Date.now()), Promise.reject(new Error("away")));
  const since = Date.now();
  // The token of before would still do.
  world.socket.end(4401);
  await world.pass(600_000);
  const waits = tries.slice(1).map((at, i) => [at - since, at - tries[i]]);
  assert.ok(Math.max(...waits.filter(([at]) => at <= 120_000).map(([, wait]) => wait)) <= 5_250, waits.join(" "));
  assert.ok(Math.max(...waits.map(([, wait]) => wait)) > 10_000, waits.join(" "));
});

test("asked to try now it connects at once", async () => {
  await connected();
  world.token = () => Promise.reject(new Error("away"));
  world.poll = () => Promise.reject(new Error("away"));
  world.socket.end(4401);
  await world.pass(300_000);
  assert.equal(world.states.at(-1), "offline");
  const count = world.sockets.length;
  world.token = () => Response.json({ token: "t", expires: 300 });
  rt.retry();
  await settle();
  assert.equal(world.sockets.length, count + 1);
});
