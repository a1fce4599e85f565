import { expect, test } from "vitest";
import { best, counts, dollars, seconds, total, type Counts } from "../src/chat/counts";
import { Branches } from "../src/chat/tree";

const turn = (id: string, parent: string | null) => ({ id, parent });
/** a - b, beside a - c - d, beside e */
const tree = new Branches([turn("a", null), turn("b", "a"), turn("c", "a"), turn("d", "c"), turn("e", null)]);
const ids = (turns: { id: string }[]): string => turns.map(({ id }) => id).join("");

test("a branch goes from its beginning to its end", () => {
  expect(ids(tree.path("d"))).toBe("acd");
  expect(tree.path(null)).toEqual([]);
  expect(tree.path("gone")).toEqual([]);
});

test("turns of one parent are each other's versions, the beginnings too", () => {
  expect(ids(tree.alternatives(tree.get("c")!))).toBe("bc");
  expect(ids(tree.alternatives(tree.get("e")!))).toBe("ae");
  expect(tree.beside(tree.get("b")!, 1)?.id).toBe("c");
  expect(tree.beside(tree.get("b")!, -1)).toBeUndefined();
});

test("the last fork of a branch is the nearest turn with versions", () => {
  expect(tree.lastFork(tree.path("d"))?.id).toBe("c");
  const single = new Branches([turn("a", null)]);
  expect(single.lastFork(single.path("a"))).toBeUndefined();
});

test("deleting takes everything below along", () => {
  expect(tree.weight("a")).toBe(4);
  expect(tree.weight("b")).toBe(1);
});

const none: Counts = { firstTokenS: null, totalS: null, tokens: null, speed: null, cost: null };

test("speed counts from the first token on, and only what is known", () => {
  const usage = { prompt_tokens: 1, completion_tokens: 41, total_tokens: 42 };
  const facts = { first_token_ms: 200, duration_ms: 1200, usage, cost_usd: null } as never;
  expect(counts(facts)).toEqual({ firstTokenS: 0.2, totalS: 1.2, tokens: 41, speed: 40, cost: null });
  expect(counts({ first_token_ms: null, duration_ms: null, usage: { ...usage, completion_tokens: null }, cost_usd: null } as never)).toEqual(none);
});

test("the best of each figure; none where all are alike or alone", () => {
  const one = { ...none, firstTokenS: 0.2, speed: 40, cost: 0 };
  const two = { ...none, firstTokenS: 0.1, speed: 53, cost: 0 };
  expect(best([one, two])).toEqual({ firstTokenS: 1, totalS: null, speed: 1, cost: null });
  expect(best([one, none])).toEqual({ firstTokenS: null, totalS: null, speed: null, cost: null });
});

test("money keeps two digits that count", () => {
  expect([0, 0.00003, 0.0041, 0.5, 12.345].map(dollars)).toEqual(["$0", "$0.000030", "$0.0041", "$0.50", "$12.35"]);
  expect(dollars(null)).toBeNull();
  expect(seconds(0.184)).toBe("0.18 s");
});

test("what nobody said is not zero", () => {
  expect(total([null, null])).toBeNull();
  expect(total([1, null, 2])).toBe(3);
});
