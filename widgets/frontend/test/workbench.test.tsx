import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pane from "../src/workbench";
import { step, summaryWords } from "../src/workbench/state";
import { FakeModel } from "./fake";

const OFFERS = { simulated: null, local: false, pull: null, comfyui: null, ollama: 0 };
const COUNTS = { images: 4, chats: 1, most_chats: 100, running: 0, failed: 0 };
const COMFYUI = {
  id: "c1",
  kind: "profile",
  provider: "comfyui",
  label: "ComfyUI",
  name: "Studio",
  url: null,
  address: "127.0.0.1:8188",
  key: null,
  prompt: null,
  options: {},
  makes: ["image"],
  models: ["x"],
  model_count: 1,
  state: "ok",
  words: "",
  latency_ms: 14,
  at: "16:12",
};

let kernel: FakeModel;
let el: HTMLElement | undefined;
let dispose: (() => void) | undefined;
let shown: { id: string; el: HTMLElement; gone: boolean }[];

/** Stands in for anywidget's host: notes which widgets are shown where. */
const host = {
  getWidget: async (ref: string) => ({
    exports: undefined,
    render: async ({ el, signal }: { el: HTMLElement; signal: AbortSignal }) => {
      const view = { id: ref, el, gone: false };
      shown.push(view);
      signal.addEventListener("abort", () => (view.gone = true));
    },
  }),
};

function open(traits: Record<string, unknown> = {}, given: unknown = host): void {
  kernel = new FakeModel();
  kernel.traits = { height: 600, static_id: "", tab: "images", panes: {}, ...traits };
  el = document.body.appendChild(document.createElement("div"));
  dispose = pane.render({ model: kernel.model, el, host: given } as any) as () => void;
}

beforeEach(() => void (shown = []));
afterEach(() => {
  dispose?.();
  el?.remove();
});

const root = (): ShadowRoot => el!.firstElementChild!.shadowRoot!;
const text = (): string => root().querySelector("section")!.textContent!;
const tab = (name: string): HTMLButtonElement => [...root().querySelectorAll<HTMLButtonElement>("[role=tab]")].find((one) => one.textContent!.startsWith(name))!;
const asked = (op: string): any[] => kernel.sent.filter((message) => message.op === op).map(({ args }) => args);

function connect(facts: object = {}): void {
  const hello = kernel.sent.find(({ op }) => op === "hello");
  const state = { looked: true, entries: [], profile: null, offers: OFFERS, trouble: {}, counts: COUNTS, ...facts };
  kernel.say({ k: "res", id: hello.id, data: { seq: 0, state } });
}

function give(panes: Record<string, string>): void {
  kernel.traits.panes = panes;
  kernel.change("panes");
}

test("arrows go round, other keys nowhere", () => {
  expect(step("ArrowRight", 3, 4, "ArrowLeft", "ArrowRight")).toBe(0);
  expect(step("ArrowLeft", 0, 4, "ArrowLeft", "ArrowRight")).toBe(3);
  expect(step("Home", 2, 4, "ArrowLeft", "ArrowRight")).toBe(0);
  expect(step("a", 2, 4, "ArrowLeft", "ArrowRight")).toBeUndefined();
  expect(summaryWords({ prompt: "a boat", steps: "20" })).toBe("a boat, 20 steps");
});

test("without a ComfyUI the first tab offers one, and nothing is opened", async () => {
  open();
  connect();
  await vi.waitFor(() => expect(text()).toContain("Two ways to start, no key needed"));
  expect(asked("open")).toEqual([]);
  [...root().querySelectorAll("button")].find((one) => one.textContent === "Make 4 images")!.click();
  expect(asked("make")).toHaveLength(1);
});

test("a pane is asked for when its tab is first shown, and stays when it is left", async () => {
  open();
  connect();
  await vi.waitFor(() => expect(text()).toContain("Two ways"));
  tab("Tasks").click();
  await vi.waitFor(() => expect(asked("open")).toEqual([{ tab: "tasks" }]));
  expect(kernel.traits.tab).toBe("tasks");
  give({ tasks: "IPY_MODEL_t1" });
  await vi.waitFor(() => expect(shown.map(({ id }) => id)).toEqual(["anywidget:t1"]));
  expect(shown[0]!.el.dataset.bare).toBe("");
  tab("Images").click();
  await vi.waitFor(() => expect(tab("Images").getAttribute("aria-selected")).toBe("true"));
  expect(shown[0]!.gone).toBe(false);
  expect(shown[0]!.el.closest("[role=tabpanel]")!.hasAttribute("data-shown")).toBe(false);
});

test("another ComfyUI's panes take the place of the first one's, whose views end", async () => {
  open({ panes: { params: "IPY_MODEL_p1", gallery: "IPY_MODEL_g1", running: "IPY_MODEL_r" } });
  connect({ entries: [COMFYUI], profile: "c1" });
  await vi.waitFor(() => expect(shown).toHaveLength(3));
  give({ params: "IPY_MODEL_p2", gallery: "IPY_MODEL_g2", running: "IPY_MODEL_r" });
  await vi.waitFor(() => expect(shown).toHaveLength(5));
  expect(shown.filter(({ gone }) => gone).map(({ id }) => id)).toEqual(["anywidget:p1", "anywidget:g1"]);
});

test("a front end that cannot nest widgets is told so", async () => {
  open({ tab: "tasks", panes: { tasks: "IPY_MODEL_t1" } }, null);
  connect();
  await vi.waitFor(() => expect(text()).toContain("cannot put panes into one another"));
});

test("a pane that could not be made says why, and can be tried again", async () => {
  open({ tab: "chat" });
  connect({ trouble: { chat: "The store is away." } });
  await vi.waitFor(() => expect(text()).toContain("The store is away."));
  const before = asked("open").length;
  [...root().querySelectorAll("button")].find((one) => one.textContent === "Try again")!.click();
  expect(asked("open")).toHaveLength(before + 1);
});

test("a simulated ComfyUI of an earlier process can be started again", async () => {
  open();
  connect({ entries: [{ ...COMFYUI, state: "failed", words: "Cannot connect" }], profile: "c1", offers: { ...OFFERS, simulated: "c1" } });
  await vi.waitFor(() => expect(text()).toContain("It ended with the notebook that had started it."));
  [...root().querySelectorAll("button")].find((one) => one.textContent === "Start it again")!.click();
  expect(asked("simulate")).toHaveLength(1);
});

test("the last line counts", async () => {
  open();
  connect({ entries: [COMFYUI], profile: "c1", counts: { ...COUNTS, images: 1, chats: 100, running: 2 } });
  await vi.waitFor(() => expect(root().querySelector(".ledger")!.textContent).toContain("1 image"));
  const line = root().querySelector(".ledger")!.textContent!;
  expect(line).toContain("1 of 1 profile answers");
  expect(line).toContain("100 or more chats");
  expect(tab("Tasks").textContent).toContain("2 running");
});
