import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pane from "../src/chat";
import type { ChatData } from "../src/chat/state";
import { FakeModel } from "./fake";

const CHOICE = { provider: "local", model: "echo", profile_id: null, where: "Local engine", size: "" };
const COUNTS = { first_token_s: null, prompt_tokens: null, tokens: null, speed: null };

let kernel: FakeModel;
let el: HTMLElement;
let dispose: () => void;

beforeEach(() => {
  kernel = new FakeModel();
  kernel.traits = { height: 300, draft: "", static_id: "" };
  el = document.body.appendChild(document.createElement("div"));
  dispose = pane.render({ model: kernel.model, el } as any) as () => void;
});
afterEach(() => {
  dispose();
  el.remove();
  delete (globalThis as any).spoonDrafts;
});

const root = (): ShadowRoot => el.firstElementChild!.shadowRoot!;
const text = (): string => root().querySelector("section")!.textContent!;
const box = (): HTMLTextAreaElement => root().querySelector("textarea")!;
const button = (name: string): HTMLButtonElement =>
  [...root().querySelectorAll("button")].find((found) => found.textContent === name)!;

function answer(facts: object = {}, at = 0, words = ""): ChatData["turns"][number] {
  const state = { state: "writing", model: "echo", where: "Local engine", error: null, warnings: [], finish_reason: null };
  return { id: "a", role: "assistant", at, text: words, counts: COUNTS, ...state, ...facts } as ChatData["turns"][number];
}

async function connect(turns: ChatData["turns"] = [], choice: object | null = CHOICE): Promise<void> {
  kernel.answer({ seq: 0, state: { whole: true, choice, choices: choice ? [choice] : [], looking: false, look_error: null, pull: null, turns } });
  await vi.waitFor(() => expect(text()).not.toContain("Looking for models"));
}

function type(words: string): void {
  box().value = words;
  box().dispatchEvent(new Event("input", { bubbles: true }));
}

test("stop takes the place of send at once, and the text stays until the kernel has it", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  box().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
  await vi.waitFor(() => expect(button("Stop")).toBeDefined());
  expect(kernel.sent.at(-1)).toMatchObject({ op: "ask", args: { text: "hello" } });
  expect(box().value).toBe("hello");
  kernel.event(1, { whole: false, turns: [answer({ state: "waiting" })] });
  kernel.answer({ id: "a" });
  await vi.waitFor(() => expect(box().value).toBe(""));
  expect(button("Stop")).toBeDefined();
  button("Stop").click();
  expect(kernel.sent.at(-1).op).toBe("stop");
});

test("a refused message stays in the box and the reason stands above it", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  button("Send").click();
  kernel.say({ k: "res", id: kernel.sent.at(-1).id, error: { code: "CONFLICT", message: "An answer is being written." } });
  await vi.waitFor(() => expect(text()).toContain("An answer is being written."));
  expect(box().value).toBe("hello");
});

test("pieces of text go where their offset says", async () => {
  await connect([answer({}, 0, "One ")]);
  kernel.event(1, { whole: false, turns: [answer({}, 4, "two")] });
  kernel.event(2, { whole: false, turns: [answer({}, 4, "two three")] });
  await vi.waitFor(() => expect(root().querySelector(".md")!.textContent).toContain("One two three"));
});

test("shift enter and composing make no message", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  const before = kernel.sent.length;
  box().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", shiftKey: true, bubbles: true }));
  box().dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true }));
  expect(kernel.sent).toHaveLength(before);
});

test("nothing answers: the pane offers what needs nothing first", async () => {
  await connect([], null);
  expect(text()).toContain("Pick something to talk to");
  expect(root().querySelectorAll(".btn.primary:not(:disabled)")).toHaveLength(1);
  button("Download and start").click();
  expect(kernel.sent.at(-1).op).toBe("pull");
  kernel.event(1, { whole: false, turns: [], pull: { name: "smollm2:135m", completed: 47e6, total: 94e6, error: null } });
  await vi.waitFor(() => expect(text()).toContain("47 of 94 MB"));
  expect(root().querySelector("[role=progressbar]")!.getAttribute("aria-valuenow")).toBe("50");
});

test("a look at the providers is waited for, and its failure told", async () => {
  kernel.answer({ seq: 0, state: { whole: true, choice: null, choices: [], looking: true, look_error: null, pull: null, turns: [] } });
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(text()).toContain("Looking for models");
  const error = { code: "STORE_UNAVAILABLE", message: "The store is away.", retry_after_s: null };
  kernel.event(1, { whole: false, choice: null, choices: [], looking: false, look_error: error, turns: [] });
  await vi.waitFor(() => expect(text()).toContain("The store is away."));
  button("Look again").click();
  expect(kernel.sent.at(-1).op).toBe("look");
});

test("unknown counts are not shown, known ones are", async () => {
  await connect([answer({ state: "done", counts: { ...COUNTS, first_token_s: 0.184, tokens: 1204 } }, 0, "x")]);
  await vi.waitFor(() => expect(text()).toContain("first token0.18 s"));
  expect(text()).toContain("tokens1,204");
  expect(text()).not.toContain("speed");
});

test("only the last answer can be asked again", async () => {
  const failed = { state: "failed", error: { code: "RATE_LIMITED", message: "Too many", retry_after_s: 18 } };
  await connect([answer({ ...failed, id: "old" }), answer(failed)]);
  await vi.waitFor(() => expect(text()).toContain("asks to wait 18 s"));
  expect([...root().querySelectorAll("button")].filter((found) => found.textContent === "Retry")).toHaveLength(1);
  button("Retry").click();
  expect(kernel.sent.at(-1)).toMatchObject({ op: "retry", args: { id: "a" } });
});

test("a draft outlives its view", async () => {
  await connect();
  type("half a thought");
  dispose();
  const next = new FakeModel();
  next.traits = { height: 300, draft: "", static_id: "" };
  dispose = pane.render({ model: next.model, el } as any) as () => void;
  expect(el.lastElementChild!.shadowRoot!.querySelector("textarea")!.value).toBe("half a thought");
});

test("keys stay in the pane, but for the notebook's own", async () => {
  await connect();
  const seen: string[] = [];
  el.addEventListener("keydown", (event) => seen.push(event.key));
  for (const init of [{ key: "a" }, { key: "Enter", shiftKey: true }, { key: "s", ctrlKey: true }, { key: "F5" }])
    box().dispatchEvent(new KeyboardEvent("keydown", { ...init, bubbles: true, composed: true }));
  expect(seen).toEqual(["s", "F5"]);
});
