import assert from "node:assert/strict";
import { test } from "node:test";
import { patch } from "../../../src/Host/Assets/realtime.js";

test("a delta keeps both ends", () => {
  assert.equal(patch("<ul><li>a</li></ul>", 9, "bc", 10), "<ul><li>abc</li></ul>");
  assert.equal(patch("old", 0, "<p>new</p>", 0), "<p>new</p>");
  assert.equal(patch("", 0, "", 0), "");
  assert.equal(patch("abc", 3, "d", 0), "abcd");
  assert.equal(patch("abc", 0, "d", 3), "dabc");
});

test("a delta for text that is not there is refused, not applied wrongly", () => {
  for (const [keep, keepEnd] of [[4, 0], [0, 4], [2, 2]]) assert.throws(() => patch("abc", keep, "x", keepEnd), RangeError);
});

test("any text becomes any other by the delta between them", () => {
  let seed = 42;
  const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
  const text = () => Array.from({ length: random(30) }, () => "ab<"[random(3)]).join("");
  for (let run = 0; run < 5_000; run++) {
    const [from, to] = [text(), text()];
    let keep = 0;
    while (keep < from.length && keep < to.length && from[keep] === to[keep]) keep++;
    let end = 0;
    while (end < from.length - keep && end < to.length - keep && from.at(-1 - end) === to.at(-1 - end)) end++;
    assert.equal(patch(from, keep, to.slice(keep, to.length - end), end), to);
  }
});
