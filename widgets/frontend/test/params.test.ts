import { expect, test, vi } from "vitest";
import { matching } from "../src/params/choice";
import { moved, softRange, written } from "../src/params/ranges";
import { parseSeed, randomSeed, SEED_MAX, seedLimit } from "../src/params/seed";
import { kept, shapeOf, SHAPES, sizeFor } from "../src/params/sizes";
import { expected, left, ParamsState, type FieldRow, type LatelyRow, type Setup } from "../src/params/state";

const field = (key: string, facts: Partial<FieldRow> = {}): FieldRow => ({ key, kind: "number", label: key, node: "Node", default: 0, ...facts });
const shape = (name: string) => SHAPES.find((one) => one.name === name)!;

test("a slider covers what people use, not what ComfyUI allows", () => {
  expect(softRange(field("steps", { min: 1, max: 10_000, default: 20, integer: true }))).toEqual({ min: 1, max: 60, step: 1 });
  expect(softRange(field("cfg_scale", { min: 0, max: 100, step: 0.1, default: 7 }))).toEqual({ min: 1, max: 20, step: 0.5 });
  expect(softRange(field("denoise", { min: 0, max: 1, step: 0.01, default: 1 }))).toEqual({ min: 0, max: 1, step: 0.01 });
  expect(softRange(field("batch_size", { min: 1, max: 4096, default: 1, integer: true }))).toEqual({ min: 1, max: 16, step: 1 });
  expect(softRange(field("10.strength_model", { min: -100, max: 100, step: 0.01, default: 1 }))).toEqual({ min: -2, max: 2, step: 0.05 });
});

test("a slider never leaves ComfyUI's own limits", () => {
  expect(softRange(field("steps", { min: 4, max: 8, default: 4, integer: true }))).toEqual({ min: 4, max: 8, step: 1 });
  expect(softRange(field("cfg_scale", { min: 30, max: 90, default: 30, step: 1 }))).toEqual({ min: 30, max: 90, step: 1 });
});

test("an unknown value gets its own range when that has few stops, else one around its default", () => {
  expect(softRange(field("7.amount", { min: 0, max: 64, default: 1, integer: true }))).toEqual({ min: 0, max: 64, step: 1 });
  expect(softRange(field("7.shift", { min: 0, max: 10_000, step: 0.01, default: 3 }))).toEqual({ min: 0, max: 20, step: 0.01 });
  expect(softRange(field("7.offset", { min: -10_000, max: 10_000, default: 0, integer: true }))).toEqual({ min: -20, max: 20, step: 1 });
  expect(softRange(field("7.radius", { min: 0, max: 10_000, default: 0, integer: true, display: "slider" }))).toEqual({ min: 0, max: 10_000, step: 1 });
});

test("without both limits there is no slider", () => {
  expect(softRange(field("7.x", { min: 0 }))).toBeNull();
  expect(softRange(field("7.x", { min: 0, max: "18446744073709551615" }))).toBeNull();
});

test("steps leave no noise of binary fractions and stop at the limits", () => {
  expect(moved(0.1, 2, 0.1, 0, 1)).toBe(0.3);
  expect(moved(0.95, 10, 0.01, 0, 1)).toBe(1);
  expect(moved(3, -10, 1, 1, 60)).toBe(1);
});

test("numbers are written with the decimals of their step, large whole ones digit by digit", () => {
  expect(written(7, field("cfg_scale", { step: 0.1 }))).toBe("7.0");
  expect(written(7.125, field("cfg_scale", { step: 0.1 }))).toBe("7.125");
  expect(written(1, field("denoise", { step: 0.01 }))).toBe("1.00");
  expect(written("18446744073709551557", field("n", { integer: true }))).toBe("18446744073709551557");
  expect(written(25, field("steps", { integer: true }))).toBe("25");
});

test("a seed is exact to its last digit, and nothing else is a seed", () => {
  expect(parseSeed("18446744073709551615")).toBe(SEED_MAX);
  expect(parseSeed(" 9007199254740993 ")).toBe(9007199254740993n);
  for (const text of ["18446744073709551616", "-1", "1e5", "", "12.0", "0x10"]) expect(parseSeed(text)).toBeNull();
  expect(parseSeed("5000000000", seedLimit(4294967295))).toBeNull();
  expect(seedLimit("18446744073709551615")).toBe(SEED_MAX);
});

test("random seeds use all 64 bits, within a field's own limit, and do not prefer the first ones", () => {
  expect(randomSeed(SEED_MAX, () => new Uint32Array([0xffffffff, 0xffffffff]))).toBe(SEED_MAX);
  const words = vi.fn().mockReturnValueOnce(new Uint32Array([0xffffffff, 0xffffffff])).mockReturnValue(new Uint32Array([0, 12]));
  expect(randomSeed(9n, words)).toBe(2n); // the first draw lies in the uneven rest and is drawn again
  expect(words).toHaveBeenCalledTimes(2);
});

test("shapes keep the number of pixels, at sizes that models were trained on", () => {
  expect(sizeFor(shape("3:2"), 1024 * 1024)).toEqual({ width: 1216, height: 832 });
  expect(sizeFor(shape("9:16"), 1024 * 1024)).toEqual({ width: 768, height: 1344 });
  expect(sizeFor(shape("1:1"), 512 * 512)).toEqual({ width: 512, height: 512 });
  for (const one of SHAPES)
    for (const area of [512 * 512, 768 * 768, 1024 * 1024, 2048 * 1024]) {
      const { width, height } = sizeFor(one, area);
      expect([width % 16, height % 16]).toEqual([0, 0]);
      expect(Math.abs((width * height) / area - 1)).toBeLessThan(0.07);
      expect(shapeOf({ width, height })).toBe(one.name);
    }
  expect(shapeOf({ width: 1000, height: 300 })).toBeNull();
});

test("the other side follows in whole multiples and stops at its limit", () => {
  expect(kept(1216, 832 / 1216, 8, 16384)).toBe(832);
  expect(kept(1000, 2 / 3, 8, 16384)).toBe(664);
  expect(kept(16384, 2, 8, 16384)).toBe(16384);
});

test("a long list is found by any words of a name", () => {
  expect(matching(["dpmpp_2m", "dpmpp_2m_sde", "euler"], "2m dpm")).toEqual(["dpmpp_2m", "dpmpp_2m_sde"]);
  expect(matching(["Euler"], "EUL")).toEqual(["Euler"]);
});

const VALUES = { values: { steps: 20, seed: "18446744073709551615" }, errors: {}, changed: [], mode: "fixed" as const, preset: null };

test("what was typed lies over the kernel's values until the kernel has it", async () => {
  const state = new ParamsState();
  let answer = (): void => {};
  const call = vi.fn(() => new Promise<void>((resolve) => (answer = resolve)));
  state.rpc = { call } as never;
  state.take({ values: VALUES });
  state.edit({ steps: "3" }, true);
  state.take({ values: { ...VALUES, values: { steps: 20 } } }); // of another change, from before
  expect(state.value("steps")).toBe("3");
  state.edit({ steps: "31" }); // typed on, while the first is on its way
  state.take({ values: { ...VALUES, values: { steps: 3 } } });
  answer();
  await vi.waitFor(() => expect(call).toHaveBeenCalledTimes(2));
  expect(call).toHaveBeenLastCalledWith("set", { values: { steps: "31" } });
  expect(state.value("steps")).toBe("31");
  state.take({ values: { ...VALUES, values: { steps: 31 } } });
  answer();
  await vi.waitFor(() => expect(state.edits.value).toEqual({}));
  expect(state.value("steps")).toBe(31);
});

test("seeds stay text all the way", () => {
  const state = new ParamsState();
  state.take({ values: VALUES });
  expect(state.value("seed")).toBe("18446744073709551615");
});

const made = (facts: Partial<LatelyRow>): LatelyRow => ({ id: "g", seed: 1, prompt: "", seconds: 4, steps: 20, width: null, height: null, batch_size: null, workflow_id: "w", ...facts });

test("only runs with the same size and steps say how long the next one takes", () => {
  const state = new ParamsState();
  state.take({
    setup: { workflow: { id: "w", name: "W", description: null }, groups: [] } as unknown as Setup,
    values: VALUES,
    runs: { open: [], last: null, failure: null, lately: [made({ seconds: 4 }), made({ seconds: 6 }), made({ seconds: 5 }), made({ steps: 8, seconds: 1 }), made({ seconds: null })] },
  });
  expect(expected(state)).toEqual({ seconds: 5, count: 3 });
  state.edits.value = { steps: 50 };
  expect(expected(state)).toBeNull();
});

test("the time left is not guessed from the first instants", () => {
  const run = { id: "g", status: "running", node: "", seed: null, images: 1 };
  expect(left({ ...run, progress: 0.01, seconds: 3 })).toBeNull();
  expect(left({ ...run, progress: 0.25, seconds: 3 })).toBe(9);
  expect(left({ ...run, progress: 0.25, seconds: null })).toBeNull();
});
