import { beforeEach, describe, expect, test } from "vitest";
import { caption, differing, listed, spoken } from "../src/gallery/captions";
import { GalleryState, type GalleryData } from "../src/gallery/state";
import { compared, valuesOf } from "../src/gallery/sheet";
import { item, picture, row, rows } from "./gallery-rows";

let state: GalleryState;
const data = (facts: Partial<GalleryData>): GalleryData => ({ whole: false, title: "S", trouble: null, rows: [], gone: [], ...facts });
const keys = (): string[] => state.items.value.map(({ key }) => key);

beforeEach(() => {
  state = new GalleryState();
  state.take(data({ whole: true, rows: rows(3) }));
});

describe("captions", () => {
  test("say only what differs", () => {
    expect(differing([item({ seed: "1", cfg_scale: 5 }), item({ seed: "2", cfg_scale: 7 })])).toEqual(["seed", "cfg"]);
    expect(differing([item({ prompt: "fog" }), item({ prompt: "sun" })])).toEqual(["prompt"]);
    expect(differing([item({ prompt: "fog", steps: 4 }), item({ prompt: "sun" })])).toEqual(["steps"]);
    expect(differing([])).toEqual([]);
  });
  test("have room for a few parts, and say the seed where nothing differs", () => {
    const one = item({ seed: "18446744073709551615", cfg_scale: 8.5 });
    expect(caption(one, ["seed", "cfg", "steps"], 2)).toBe("18446744073709551615, cfg 8.5");
    expect(caption(one, [], 2)).toBe("18446744073709551615");
    expect(spoken(one, ["cfg"])).toBe("seed 18446744073709551615, cfg 8.5");
  });
  test("are named below the grid", () => {
    expect([["seed"], ["seed", "cfg"], ["a", "b", "c", "d"]].map(listed)).toEqual(["seed", "seed and cfg", "a, b and 2 more"]);
  });
});

describe("order", () => {
  test("is the newest first, whatever comes when", () => {
    state.add([row(9), row(0)]);
    expect(keys()).toEqual(["g9:0", "g3:0", "g2:0", "g1:0", "g0:0"]);
  });
  test("by seed is exact, and what has none comes last", () => {
    state.add([row(7, { seed: "18446744073709551615" }), row(8, { seed: "18446744073709551614" }), { ...row(9), seed: undefined } as never]);
    state.sort.value = "seed";
    state.arrange();
    expect(keys()).toEqual(["g1:0", "g2:0", "g3:0", "g8:0", "g7:0", "g9:0"]);
  });
  test("is not changed by a rating until something else changes it", () => {
    state.sort.value = "rating";
    state.arrange();
    state.rate([state.find("g1:0")!], 5);
    expect(keys()).toEqual(["g3:0", "g2:0", "g1:0"]);
    expect(state.items.value[2]!.rating).toBe(5);
    state.arrange();
    expect(keys()[0]).toBe("g1:0");
  });
  test("a refused rating is taken back", () => {
    const undo = state.rate([state.find("g1:0")!], 5);
    undo();
    expect(state.find("g1:0")!.rating).toBeUndefined();
  });
});

describe("live", () => {
  const running = row(4, { status: "running", started: true, progress: 0.4, outputs: [] });
  test("a generation is one tile while it runs, with the key of its first picture", () => {
    state.take(data({ rows: [running] }));
    expect(keys()[0]).toBe("g4:0");
    expect(state.items.value[0]!.state).toBe("running");
    state.take(data({ rows: [row(4, { outputs: [picture(), picture()] })] }));
    expect(keys().slice(0, 2)).toEqual(["g4:0", "g4:1"]);
  });
  test("nothing moves under a reader: what is new is held back, what is there goes on", () => {
    state.take(data({ rows: [running] }));
    state.reading = true;
    state.take(data({ rows: [row(5, { status: "pending", outputs: [] })] }));
    state.take(data({ rows: [row(4, { outputs: [picture(), picture()] })] }));
    expect(keys()).toEqual(["g4:0", "g3:0", "g2:0", "g1:0"]);
    expect(state.items.value[0]!.state).toBe("complete");
    expect(state.held.value).toBe(2);
    state.release();
    expect(keys().slice(0, 3)).toEqual(["g5:0", "g4:0", "g4:1"]);
    expect(state.held.value).toBe(0);
  });
  test("older rows are never held back", () => {
    state.reading = true;
    state.add([row(0)]);
    expect(keys().at(-1)).toBe("g0:0");
  });
  test("a queued one says how many are before it", () => {
    state.take(data({ rows: [running, row(5, { status: "running", outputs: [] }), row(6, { status: "pending", outputs: [] })] }));
    expect(state.counts.value).toMatchObject({ running: 1, queued: 2 });
    expect(state.ahead(state.find("g6:0")!)).toBe(2);
  });
  test("what is gone leaves the order and the selection", () => {
    state.select(["g1:0", "g2:0"]);
    state.take(data({ gone: ["g1"] }));
    expect(keys()).toEqual(["g3:0", "g2:0"]);
    expect([...state.selection.value]).toEqual(["g2:0"]);
  });
  test("after everything was read, what was not among it is gone", () => {
    state.keepOnly(new Set(["g2"]));
    expect(keys()).toEqual(["g2:0"]);
    expect(state.complete.value).toBe(true);
  });
});

describe("selection", () => {
  test("extends from where it began, in both directions", () => {
    state.moveTo("g2:0");
    state.extend("g1:0");
    expect([...state.selection.value]).toEqual(["g2:0", "g1:0"]);
    state.extend("g3:0");
    expect([...state.selection.value]).toEqual(["g2:0", "g3:0"]);
  });
  test("keys act on it only from within", () => {
    state.select(["g1:0", "g2:0"]);
    state.at.value = "g3:0";
    expect(state.targets.map(({ key }) => key)).toEqual(["g3:0"]);
    state.at.value = "g2:0";
    expect(state.targets.map(({ key }) => key)).toEqual(["g1:0", "g2:0"]);
  });
  test("comes from Python, too", () => {
    state.take(data({ selection: [["g3", 0], ["nobody", 0]] }));
    expect([...state.selection.value]).toEqual(["g3:0"]);
  });
});

test("a wrong filter leaves what was shown", () => {
  state.setFilter("seed = 4102");
  expect(keys()).toEqual(["g2:0"]);
  state.setFilter("seed =");
  expect(keys()).toEqual(["g2:0"]);
  expect(state.filterError.value?.message).toContain("missing");
  state.setFilter("");
  expect(keys()).toHaveLength(3);
  expect(state.filterError.value).toBeNull();
});

test("ten thousand rows keep each text once and are arranged within a few frames", () => {
  const many = new GalleryState();
  many.take(data({ whole: true, rows: rows(10_000) }));
  const [one, other] = [many.items.value[0]!.row, many.items.value[9_999]!.row];
  expect(many.items.value).toHaveLength(10_000);
  expect(one.sampler_name).toBe(other.sampler_name);
  const began = performance.now();
  many.setFilter("cfg_scale >= 5 and lighthouse");
  expect(performance.now() - began).toBeLessThan(1_000); // about 20 ms; far more would be a loop in a loop
  expect(many.items.value).toHaveLength(10_000);
});

test("two generations are told apart by what differs", () => {
  const base = { id: "a", seed: "18446744073709551615", steps: 25, cfg_scale: 7, sampler_name: "euler", prompt_text: "x", parameters: { "3.denoise": 0.5 } } as never;
  const other = { ...(base as object), cfg_scale: 11, rating: 2, loras_used: [{ name: "detail", strength_model: 0.8 }] } as never;
  expect(compared(base, other)).toEqual({
    rows: [
      ["Cfg scale", "7", "11"],
      ["LoRA", "none", "detail 0.80"],
      ["Rating", "none", "2"],
    ],
    equal: 4,
    seed: "18446744073709551615",
  });
  expect(valuesOf(base)).toContainEqual(["3.denoise", "0.5"]);
});
