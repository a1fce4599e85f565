import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { gridKey } from "../src/gallery/grid";
import { BATCH } from "../src/gallery/faces";
import { ViewPoint } from "../src/gallery/zoom";
import pane from "../src/gallery/pane";
import { FakeModel } from "./fake";
import { picture, row, rows } from "./gallery-rows";

let kernel: FakeModel;
let el: HTMLElement;
let dispose: () => void;
const box = { width: 860, height: 400 };

beforeEach(() => {
  Object.defineProperty(HTMLElement.prototype, "clientWidth", { configurable: true, get: () => box.width });
  Object.defineProperty(HTMLElement.prototype, "clientHeight", { configurable: true, get: () => box.height });
  URL.createObjectURL = () => `blob:${Math.random()}`;
  URL.revokeObjectURL = () => {};
  kernel = new FakeModel();
  kernel.traits = { height: 480, static_id: "", filter: "", sort: "newest", tile: "M", bare: false };
  el = document.body.appendChild(document.createElement("div"));
  dispose = pane.render({ model: kernel.model, el } as any) as () => void;
});
afterEach(() => {
  dispose();
  el.remove();
});

const root = (): ShadowRoot => el.firstElementChild!.shadowRoot!;
const tiles = (): HTMLElement[] => [...root().querySelectorAll<HTMLElement>("[role=option][data-key]")];
const list = (): HTMLElement => root().querySelector("[role=listbox]")!;
const text = (): string => root().querySelector("section")!.textContent!;
const asked = (op: string): any[] => kernel.sent.filter((message) => message.op === op);
const bytes = (): DataView => new DataView(new ArrayBuffer(4));

async function show(first: object[], rest: object[] = []): Promise<void> {
  const hello = asked("hello")[0];
  kernel.say({ k: "res", id: hello.id, data: { seq: 0, state: { whole: true, title: "Lighthouse", trouble: null, rows: first, gone: [], selection: [] } } });
  if (first.length > 0) {
    await vi.waitFor(() => expect(asked("rows")).toHaveLength(1));
    kernel.say({ k: "res", id: asked("rows")[0].id, data: { rows: rest, more: false } });
  }
  await vi.waitFor(() => expect(text()).not.toContain("reading the rest"));
}

function press(key: string, more: object = {}): void {
  list().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

test("only the tiles in view are in the page, whatever their number", async () => {
  await show(rows(120), Array.from({ length: 9_880 }, (_, index) => row(-index)));
  await vi.waitFor(() => expect(text()).toContain("10000 images"));
  await vi.waitFor(() => expect(tiles().length).toBeGreaterThan(20));
  expect(tiles().length).toBeLessThan(60);
  expect(tiles()[0]!.getAttribute("aria-setsize")).toBe("10000");
  expect(root().querySelector<HTMLElement>(".canvas")!.style.height).toMatch(/^2\d{5}px$/);
});

test("thumbnails are asked for in one batch, and only once", async () => {
  await show(rows(300));
  await vi.waitFor(() => expect(asked("faces")).toHaveLength(1));
  const { refs } = asked("faces")[0].args;
  expect(refs.length).toBeLessThanOrEqual(BATCH);
  const { id } = asked("faces")[0];
  kernel.say({ k: "res", id, data: refs.map((_: unknown, index: number) => (index === 1 ? { later: true } : { thumb: 0 })) }, [bytes()]);
  await vi.waitFor(() => expect(tiles()[0]!.querySelector("img")!.src).toMatch(/^data:image\/webp;base64,AAAAAA==$/));
  await vi.waitFor(() => expect(asked("faces")).toHaveLength(2));
  expect(asked("faces")[1].args.refs).toEqual([refs[1]]); // the one that was not ready
});

test("thumbnails that come with the first answer are shown at once and not asked for", async () => {
  const state = { whole: true, title: "Lighthouse", trouble: null, rows: rows(3), gone: [], faces: [["g3", 0], ["g2", 0]] };
  kernel.say({ k: "res", id: asked("hello")[0].id, data: { seq: 0, state } }, [bytes(), bytes()]);
  await vi.waitFor(() => expect(tiles().map((tile) => !!tile.querySelector("img"))).toEqual([true, true, false]));
  await vi.waitFor(() => expect(asked("faces").map(({ args }) => args.refs)).toEqual([[["g1", 0]]]));
});

test("while batches are on their way what is wanted gathers, and what has gone out of view is left out", async () => {
  const before = box.height;
  box.height = 100;
  await show(rows(300));
  const scroll = async (top: number): Promise<void> => {
    const first = tiles()[0]!.dataset.key;
    list().scrollTop = top;
    list().dispatchEvent(new Event("scroll"));
    await vi.waitFor(() => expect(tiles()[0]!.dataset.key).not.toBe(first));
    await new Promise(requestAnimationFrame);
  };
  await vi.waitFor(() => expect(asked("faces")).toHaveLength(1));
  for (const top of [1_000, 2_000, 3_000]) await scroll(top);
  expect(asked("faces")).toHaveLength(2);
  const inView = tiles().map((tile) => tile.dataset.key!.split(":")[0]);
  kernel.say({ k: "res", id: asked("faces")[0].id, data: asked("faces")[0].args.refs.map(() => ({ gone: true })) });
  await vi.waitFor(() => expect(asked("faces")).toHaveLength(3));
  expect(asked("faces")[2].args.refs.map(([id]: [string]) => id)).toEqual(inView);
  box.height = before;
});

test("a running generation shows its preview, then its picture, in the same place", async () => {
  await show(rows(4));
  kernel.event(1, { whole: false, title: "", trouble: null, gone: [], rows: [row(9, { status: "running", started: true, progress: 0.5, outputs: [] })] });
  await vi.waitFor(() => expect(tiles()[0]!.textContent).toContain("50 %"));
  kernel.say({ k: "hint", data: { preview: "g9", type: "image/jpeg" } }, [bytes()]);
  await vi.waitFor(() => expect(tiles()[0]!.querySelector("img")).toBeTruthy());
  const preview = tiles()[0]!.querySelector("img")!.src;
  const before = asked("faces").length;
  kernel.event(2, { whole: false, title: "", trouble: null, gone: [], rows: [row(9, { outputs: [picture()] })] });
  await vi.waitFor(() => expect(asked("faces").length).toBeGreaterThan(before));
  expect(tiles()[0]!.querySelector("img")!.src).toBe(preview); // no flash between the two
  expect(asked("faces").at(-1).args.refs).toEqual([["g9", 0]]);
});

test("keys move, select and rate without a mouse", async () => {
  await show(rows(40));
  list().dispatchEvent(new FocusEvent("focus"));
  press("ArrowRight");
  press("ArrowDown");
  await vi.waitFor(() => expect(list().getAttribute("aria-activedescendant")).toBe("tile-g33:0"));
  press(" ");
  press("ArrowRight", { shiftKey: true });
  await vi.waitFor(() => expect(text()).toContain("2 selected"));
  await vi.waitFor(() => expect(asked("select").at(-1)?.args.refs).toEqual([["g33", 0], ["g32", 0]]));
  press("4");
  expect(asked("rate").at(-1).args).toEqual({ refs: [["g33", 0], ["g32", 0]], rating: 4 });
  await vi.waitFor(() => expect(tiles().filter((tile) => tile.getAttribute("aria-label")!.includes("rated 4"))).toHaveLength(2));
});

test("a refused rating is taken back and says why", async () => {
  await show(rows(2));
  list().dispatchEvent(new FocusEvent("focus"));
  press("5");
  kernel.say({ k: "res", id: asked("rate")[0].id, error: { code: "X", message: "The store is away" } });
  await vi.waitFor(() => expect(text()).toContain("The store is away"));
  expect(tiles()[0]!.getAttribute("aria-label")).not.toContain("rated");
});

test("a filter that leaves nothing says what there is, and the trait carries it", async () => {
  await show(rows(3));
  const input = root().querySelector<HTMLInputElement>("input[aria-label=Filter]")!;
  input.value = "cfg_scale > 20";
  input.dispatchEvent(new Event("input", { bubbles: true }));
  await vi.waitFor(() => expect(text()).toContain("None of 3 images match. The highest cfg scale here is 7."));
  expect(kernel.traits.filter).toBe("cfg_scale > 20");
  root().querySelector<HTMLButtonElement>(".link")!.click();
  await vi.waitFor(() => expect(tiles()).toHaveLength(3));
});

test("prompts and errors are text, whatever is in them", async () => {
  const nasty = "<img src=x onerror=alert(1)>";
  await show([row(1, { prompt: nasty, seed: undefined }), row(2, { status: "failed", error: nasty, outputs: [] })]);
  await vi.waitFor(() => expect(tiles()).toHaveLength(2));
  expect(root().querySelector("img[src=x]")).toBeNull();
  expect(tiles()[0]!.textContent).toContain(nasty);
});

test("an empty session says what will appear", async () => {
  await show([]);
  await vi.waitFor(() => expect(text()).toContain("No images yet"));
});

test("keys with Ctrl or Alt stay the page's, but for selecting all", () => {
  const state = { at: { peek: () => "" }, place: () => -1, items: { peek: () => [] }, select: vi.fn() };
  const context = { state, deeds: { tellSelection: () => {} }, columns: 4, page: 8, move: vi.fn(), open: vi.fn(), compare: vi.fn() } as any;
  const key = (name: string, more: object) => gridKey(new KeyboardEvent("keydown", { key: name, ...more }), context);
  expect(key("s", { ctrlKey: true })).toBe(false);
  expect(key("ArrowLeft", { altKey: true })).toBe(false);
  expect(key("a", { ctrlKey: true })).toBe(true);
  expect(state.select).toHaveBeenCalledWith([]);
});

test("zooming keeps the point under the pointer, and two linked views move together", () => {
  const [one, other] = [new ViewPoint(), new ViewPoint()];
  one.twin = other;
  one.by(2, 100, 50);
  expect([one.zoom.value, one.x.value, one.y.value]).toEqual([2, -100, -50]);
  expect([other.zoom.value, other.x.value]).toEqual([2, -100]);
  one.key("0");
  expect([other.zoom.value, other.x.value, other.y.value]).toEqual([1, 0, 0]);
});
