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

const answer = (...channels) => Response.json({ channels });

async function blocked(pos = "e:5") {
  rt.watch("room/1", pos, seen.handlers);
  await settle();
  world.socket.end();
  await settle();
}

test("a refused socket makes it poll at once, without anybody's doing", async () => {
  world.poll = ([{ ch }]) => (world.polls.length === 1 ? answer({ ch, pos: "e:7", recovered: true, ev: [[6, "a", 1], [7, "b", 2]] }) : new Promise(() => {}));
  await blocked();
  assert.deepEqual(world.polls[0], [{ ch: "room/1", pos: "e:5" }]);
  assert.deepEqual(seen.events, [[6, "a", 1], [7, "b", 2]]);
  await world.pass(500);
  assert.deepEqual(world.polls[1], [{ ch: "room/1", pos: "e:7" }]);
  assert.deepEqual(world.states, ["connecting", "polling"]);
});

test("until a poll got through it wants answers, and then news", async () => {
  world.poll = ([{ ch, pos }]) => (world.polls.length < 2 ? Promise.reject(new TypeError("no network")) : answer({ ch, pos, recovered: true, ev: [] }));
  await blocked();
  assert.deepEqual([world.states.at(-1), world.hurried], ["offline", [true]]);
  await world.pass(2_000);
  assert.deepEqual([world.states.at(-1), world.hurried.slice(0, 3)], ["polling", [true, true, false]]);
});

test("a socket that says nothing is as good as none", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.readyState = 1;
  await world.pass(8_250);
  assert.ok(world.sockets[0].closedByClient);
  assert.equal(world.polls.length, 1);
});

test("while it polls it goes on trying the socket, and goes over to it without losing its place", async () => {
  world.poll = ([{ ch, pos }]) => (pos === "e:5" ? answer({ ch, pos: "e:8", recovered: true, ev: [[8, "a", 0]] }) : new Promise(() => {}));
  await blocked();
  await world.pass(5_000);
  assert.ok(world.sockets.length >= 2);
  world.socket.accept();
  world.socket.confirm();
  assert.equal(world.states.at(-1), "connected");
  assert.deepEqual(world.socket.of("sub").map((s) => s.pos), ["e:8"]);
  const polls = world.polls.length;
  await world.pass(20_000);
  assert.equal(world.polls.length, polls);
});

test("an answer that comes after the socket does not count twice", async () => {
  let resolve;
  world.poll = () => new Promise((r) => (resolve = r));
  await blocked();
  await world.pass(5_000);
  world.socket.accept();
  world.socket.confirm();
  resolve(answer({ ch: "room/1", pos: "e:6", recovered: true, ev: [[6, "a", 0]] }));
  await settle();
  assert.deepEqual(seen.events, []);
  world.socket.push([world.socket.sent[0].id, [6, "a", 0]]);
  assert.deepEqual(seen.events, [[6, "a", 0]]);
});

test("polls keep a distance", async () => {
  let seq = 5;
  world.poll = ([{ ch }]) => answer({ ch, pos: `e:${++seq}`, recovered: true, ev: [[seq, "a", 0]] });
  await blocked();
  await world.pass(10_000);
  assert.ok(world.polls.length <= 34, `${world.polls.length}`);
  assert.ok(world.polls.length >= 15, `${world.polls.length}`);
  assert.deepEqual(seen.events.map((e) => e[0]), Array.from({ length: seen.events.length }, (_, i) => 6 + i));
});

test("a channel that comes to the page is polled at once", async () => {
  await blocked();
  await world.pass(1_000);
  rt.watch("room/2", "f:1", seen.handlers);
  await world.pass(500);
  assert.deepEqual(world.polls.at(-1).map((c) => c.ch), ["room/1", "room/2"]);
});

test("a position that cannot be resumed asks for the snapshot and goes on from it", async () => {
  world.poll = ([{ ch, pos }]) => (pos === "e:5" ? answer({ ch, pos: "f:0", recovered: false, ev: [], code: "epoch" }) : new Promise(() => {}));
  await blocked();
  await world.pass(2_000);
  assert.deepEqual(seen.resets, ["epoch"]);
  assert.equal(world.polls.length, 1);
  rt.watch("room/1", "f:0", seen.handlers);
  await world.pass(500);
  assert.deepEqual(world.polls.at(-1), [{ ch: "room/1", pos: "f:0" }]);
});

test("a denied channel is told once, the others go on", async () => {
  rt.watch("room/2", "f:1", follower().handlers);
  world.poll = (asked) => answer(...asked.map(({ ch, pos }) => (ch === "room/1" ? { ch, code: "not_found" } : { ch, pos, recovered: true, ev: [] })));
  await blocked();
  await world.pass(3_000);
  assert.deepEqual(seen.resets, ["not_found"]);
  assert.deepEqual(world.polls.at(-1).map((c) => c.ch), ["room/2"]);
});

test("a channel that is not available now is left out until its page was fetched", async () => {
  rt.watch("room/2", "f:1", follower().handlers);
  let down = true;
  world.poll = (asked) =>
    answer(...asked.map(({ ch, pos }) => (ch === "room/1" && down ? { ch, code: "unavailable" } : { ch, pos, recovered: true, ev: [] })));
  await blocked();
  assert.equal(world.polls.length, 1);
  down = false;
  await world.pass(500);
  assert.deepEqual(seen.resets, ["unavailable"]);
  assert.deepEqual(world.polls.at(-1).map((c) => c.ch), ["room/2"]);
  rt.watch("room/1", "e:7", seen.handlers);
  await world.pass(500);
  assert.deepEqual(world.polls.at(-1).map((c) => c.ch).sort(), ["room/1", "room/2"]);
});

test("without a network it says so, and tries less and less often", async () => {
  world.poll = () => Promise.reject(new TypeError("network"));
  await blocked();
  assert.equal(world.states.at(-1), "offline");
  await world.pass(120_000);
  assert.ok(world.polls.length <= 15, `${world.polls.length}`);
  assert.ok(world.sockets.length <= 15, `${world.sockets.length}`);
  world.poll = ([{ ch, pos }]) => answer({ ch, pos, recovered: true, ev: [] });
  world.page.dispatchEvent(new Event("online"));
  await settle();
  assert.equal(world.states.at(-1), "polling");
});

test("a server that is busy is asked less often", async () => {
  world.poll = () => new Response("", { status: 503 });
  await blocked();
  await world.pass(60_000);
  assert.ok(world.polls.length <= 10, `${world.polls.length}`);
});

test("a session that has ended ends polling", async () => {
  world.poll = () => new Response("", { status: 401 });
  await blocked();
  await world.pass(60_000);
  assert.deepEqual([world.polls.length, world.signedOut], [1, 1]);
});

test("a server that calls us malformed is not told the same for ever: polling takes over", async () => {
  rt.watch("room/1", "e:5", seen.handlers);
  await settle();
  world.socket.accept();
  world.socket.confirm();
  world.socket.end(4500);
  await world.pass(300_000);
  assert.equal(world.sockets.length, 1);
  assert.ok(world.polls.length >= 1);
});

test("a poll that hangs is given up", async () => {
  await blocked();
  await world.pass(39_000);
  assert.equal(world.polls.length, 1);
  await world.pass(5_000);
  assert.equal(world.polls.length, 2);
});

test("closing stops everything", async () => {
  await blocked();
  rt.close();
  const before = [world.polls.length, world.sockets.length];
  await world.pass(120_000);
  assert.deepEqual([world.polls.length, world.sockets.length], before);
});
