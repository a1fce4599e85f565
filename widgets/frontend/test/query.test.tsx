import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pane from "../src/query/pane";
import { FakeModel } from "./fake";

const EVIL = '<img src=x onerror="globalThis.pwned = true">';
const RUN = { number: 1, state: "done", error: null, pictures: [], gallery: null, sql: "select a, b", statement: "select a, b", parameters: {}, sort: [], where: "" };
const ROWS = { fields: ["a", EVIL], types: ["BIGINT", "VARCHAR"], count: 3, truncated: false, ms: 4, at: 0 };

let kernel: FakeModel;
let el: HTMLElement;
let dispose: () => void;

beforeEach(() => {
  vi.stubGlobal("ResizeObserver", class {
    observe(): void {}
    disconnect(): void {}
  });
  vi.spyOn(HTMLElement.prototype, "clientWidth", "get").mockReturnValue(800);
  vi.spyOn(HTMLElement.prototype, "clientHeight", "get").mockReturnValue(300);
  kernel = new FakeModel();
  kernel.traits = { height: 500, static_id: "", bare: false, sql: "select a, b", history: [], values: {}, chart: {}, shown: "table" };
  el = document.body.appendChild(document.createElement("div"));
  dispose = pane.render({ model: kernel.model, el } as any) as () => void;
});
afterEach(() => {
  dispose();
  el.remove();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const root = (): ShadowRoot => el.firstElementChild!.shadowRoot!;
const text = (): string => root().querySelector("section")!.textContent!;
const button = (name: string): HTMLButtonElement => [...root().querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name)!;
const sent = (op: string): any => kernel.sent.filter((one) => one.op === op).at(-1);
const reply = (op: string, data: unknown): void => kernel.say({ k: "res", id: sent(op).id, data });
const press = (target: Element, key: string, more: KeyboardEventInit = {}): void =>
  void target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, composed: true, ...more }));

async function connect(run: object = { number: 0, state: "idle", error: null, pictures: [], gallery: null }): Promise<void> {
  reply("hello", { seq: 0, state: { run, schema: { tables: null, error: null }, summary: null, chart: null, file: {} } });
  await vi.waitFor(() => expect(text()).not.toBe(""));
}

async function answered(): Promise<void> {
  await connect({ ...RUN, ...ROWS });
  await vi.waitFor(() => expect(sent("rows")).toBeTruthy());
  reply("rows", [[1, "x"], [2, EVIL], [3, null]]);
  await vi.waitFor(() => expect(root().querySelectorAll("[role=gridcell]").length).toBeGreaterThan(3));
}

test("runs what stands in the editor, and the button becomes Stop", async () => {
  await connect();
  expect(text()).toContain("Ask your own history");
  press(root().querySelector("textarea")!, "Enter", { shiftKey: true });
  expect(sent("run").args).toEqual({ sql: "select a, b", values: {} });
  kernel.event(1, { run: { number: 0, state: "running", error: null, elapsed: 0, pictures: [], gallery: null } });
  await vi.waitFor(() => expect(button("Stop")).toBeTruthy());
  press(root().querySelector("textarea")!, "Escape");
  expect(sent("stop")).toBeTruthy();
});

test("what is in the cells is text, whatever it looks like", async () => {
  await answered();
  expect(text()).toContain(EVIL);
  expect(root().querySelector("img")).toBeNull();
  expect((globalThis as any).pwned).toBeUndefined();
  expect(text()).toContain("null");
});

test("one stop for the keyboard: heads sort, cells open, rows are selected", async () => {
  await answered();
  const grid = root().querySelector<HTMLElement>("[role=grid]")!;
  expect(root().querySelectorAll("[role=grid] [tabindex]").length).toBe(0);
  press(grid, "ArrowUp");
  press(grid, "ArrowRight");
  await vi.waitFor(() => expect(grid.getAttribute("aria-activedescendant")).toBe("cell--1-1"));
  press(grid, "Enter");
  expect(sent("view").args).toEqual({ sort: [[1, false]], where: "" });
  press(grid, "ArrowDown");
  press(grid, " ");
  expect(sent("select").args).toEqual({ number: 1, rows: [0] });
  press(grid, "Enter");
  await vi.waitFor(() => expect(root().querySelector("aside pre")?.textContent).toBe("x"));
  button("Only these").click();
  expect(sent("view").args.where).toBe(`"${EVIL.replaceAll('"', '""')}" = 'x'`);
});

test("the grid names a cell as the current one when its row has come, not before", async () => {
  await connect({ ...RUN, ...ROWS });
  await vi.waitFor(() => expect(sent("rows")).toBeTruthy());
  const grid = root().querySelector("[role=grid]")!;
  expect(grid.hasAttribute("aria-activedescendant")).toBe(false);
  reply("rows", [[1, "x"], [2, EVIL], [3, null]]);
  await vi.waitFor(() => expect(grid.getAttribute("aria-activedescendant")).toBe("cell-0-0"));
  expect(root().querySelector("#cell-0-0")).toBeTruthy();
});

test("an error stands at the editor, and its remedy is one click away", async () => {
  const error = { code: "validation", message: 'Catalog Error: Table with name run does not exist!\nDid you mean "runs"?', at: "editor", sql: "select a, b", line: 1, column: 8, length: 1 };
  await connect({ ...RUN, ...ROWS, state: "failed", error });
  expect(root().querySelector("[role=alert]")!.textContent).toContain("Table with name run does not exist!");
  expect(text()).toContain("Line 1, column 8");
  button("Use runs").click();
  expect(sent("run").args.sql).toBe("select runs, b");
});

test("history comes with Alt and the arrows, and what was typed comes back", async () => {
  kernel.traits.history = ["select 1", "select 2"];
  kernel.change("history");
  await connect();
  const area = root().querySelector("textarea")!;
  const shows = (sql: string) => vi.waitFor(() => expect(area.value).toBe(sql));
  press(area, "ArrowUp", { altKey: true });
  await shows("select 2");
  press(area, "ArrowUp", { altKey: true });
  await shows("select 1");
  press(area, "ArrowDown", { altKey: true });
  press(area, "ArrowDown", { altKey: true });
  await shows("select a, b");
});

test("parameters get a box each, and what is typed goes along", async () => {
  kernel.traits.sql = "select $least, '$not'";
  kernel.change("sql");
  await connect();
  await vi.waitFor(() => expect(root().querySelectorAll(".runbar input").length).toBe(1));
  const box = root().querySelector<HTMLInputElement>(".runbar input")!;
  box.value = "3";
  box.dispatchEvent(new Event("input", { bubbles: true }));
  await vi.waitFor(() => expect(box.value).toBe("3"));
  button("Run").click();
  expect(sent("run").args.values).toEqual({ least: "3" });
});

test("a server that counts questions says when the next one may run", async () => {
  await connect({ ...RUN, ...ROWS, state: "failed", error: { code: "RATE_LIMITED", message: "10 questions in 60 s is the limit; ask again in 3 s", at: "editor", sql: "select a, b", retry_after_s: 0.3 } });
  await vi.waitFor(() => expect(text()).toContain("10 questions in 60 s is the limitThe statement stays in the editor. It can run in 1 s."));
  expect(button("Run again").disabled).toBe(true);
  await vi.waitFor(() => expect(text()).toContain("It can run now."));
  button("Run again").click();
  expect(sent("run").args.sql).toBe("select a, b");
});

test("summaries that were spared are read when asked for, and a gallery beside takes the pictures", async () => {
  await connect({ ...RUN, ...ROWS, pictures: [1], beside: true, spared: true });
  await vi.waitFor(() => expect(button("Read the summaries")).toBeTruthy());
  button("Read the summaries").click();
  expect(sent("summaries")).toBeTruthy();
  button("Show in the gallery").click();
  reply("to_gallery", 0);
  await vi.waitFor(() => expect(text()).toContain("None of these is in the gallery"));
});

test("where nothing can be asked the pane says what to do", async () => {
  reply("hello", { seq: 0, state: { run: { number: 0, state: "idle", error: null, pictures: [], gallery: null }, schema: { tables: null, error: { message: "Questions in SQL are not installed: pip install" } }, summary: null, chart: null, file: {} } });
  await vi.waitFor(() => expect(text()).toContain("Nothing can be asked in SQL yetQuestions in SQL are not installed: pip install"));
  expect(text()).not.toContain("Ask your own history");
  button("Try again").click();
  expect(sent("schema")).toBeTruthy();
});

test("what Python writes right after a run is not overwritten by what was typed for it", async () => {
  await connect();
  const box = root().querySelector("textarea")!;
  box.value = "select 1";
  box.dispatchEvent(new InputEvent("input", { bubbles: true }));
  press(box, "Enter", { shiftKey: true });
  expect(kernel.traits.sql).toBe("select 1");
  kernel.traits.sql = "select 2";
  kernel.change("sql");
  await vi.waitFor(() => expect(root().querySelector("textarea")!.value).toBe("select 2"));
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(kernel.traits.sql).toBe("select 2");
});
