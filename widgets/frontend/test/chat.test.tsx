import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pane from "../src/chat";
import { python, toJSON, toMarkdown, toNotebook, toPython } from "../src/chat/export";
import { Conversation, type About, type ChatData } from "../src/chat/state";
import { FakeModel } from "./fake";

const CHOICE = { provider: "local", model: "echo", profile_id: null, where: "Local engine", size: "" };
const MODELS = { choice: CHOICE, choices: [CHOICE], compared: [], defaults: {}, looking: false, look_error: null };
const NO_USAGE = { prompt_tokens: null, completion_tokens: null, total_tokens: null };

let kernel: FakeModel;
let el: HTMLElement;
let dispose: () => void;

beforeEach(() => {
  (globalThis as any).spoonAssets = new Map([["markdown", { module: import("../src/assets/markdown") }]]);
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
const box = (): HTMLTextAreaElement => root().querySelector("textarea[aria-label=Message]")!;
const button = (name: string): HTMLButtonElement =>
  [...root().querySelectorAll("button")].find((found) => found.textContent === name || found.getAttribute("aria-label") === name)!;
/** A part that is about to be there. */
const part = <T extends Element>(selector: string): Promise<T> =>
  vi.waitFor(() => {
    const found = root().querySelector<T>(selector);
    expect(found).not.toBeNull();
    return found!;
  });
const asked = (op: string): any => kernel.sent.findLast((message) => message.op === op);

function turn(id: string, parent: string | null, words = "", facts: object = {}): ChatData["turns"][number] {
  const role = id.startsWith("q") ? "user" : "assistant";
  const rest = { attachments: [], provider: "local", model: role === "user" ? null : "echo", profile_id: null, error: null, warnings: [] };
  const times = { finish_reason: null, usage: NO_USAGE, first_token_ms: null, duration_ms: null, cost_usd: null, elapsed_ms: null, created_at: "" };
  return { id, parent_id: parent, role, conversation_id: "c", at: 0, text: words, state: "complete", ...rest, ...times, ...facts } as never;
}

const about = (active: string | null = null, more: Partial<About> = {}): About => ({
  id: active && "c", title: "fog", active, system: "", options: {}, notice: "", loaded: true, ...more,
});

async function connect(turns: ChatData["turns"] = [], more: object = {}): Promise<void> {
  const state = { whole: true, models: MODELS, pull: null, about: about(turns.at(-1)?.id ?? null), turns, ...more };
  kernel.say({ k: "res", id: asked("hello").id, data: { seq: 0, state } });
  await vi.waitFor(() => expect(text()).not.toContain("Opening the conversation"));
}

function type(words: string): void {
  box().value = words;
  box().dispatchEvent(new Event("input", { bubbles: true }));
}

const press = (on: Element, key: string, more: object = {}): void =>
  void on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true, ...more }));

test("stop takes the place of send at once, and the text stays until the kernel has it", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  press(box(), "Enter");
  await vi.waitFor(() => expect(button("Stop")).toBeDefined());
  expect(asked("ask").args).toEqual({ text: "hello", attachments: [] });
  expect(box().value).toBe("hello");
  kernel.event(1, { whole: false, about: about("a"), turns: [turn("q", null, "hello"), turn("a", "q", "", { state: "writing" })] });
  kernel.say({ k: "res", id: asked("ask").id, data: { id: "a" } });
  await vi.waitFor(() => expect(box().value).toBe(""));
  expect(button("Stop")).toBeDefined();
  button("Stop").click();
  expect(asked("stop").args).toEqual({});
});

test("a refused message stays in the box and the reason stands above it", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  button("Send").click();
  kernel.say({ k: "res", id: asked("ask").id, error: { code: "CONFLICT", message: "An answer is being written." } });
  await vi.waitFor(() => expect(text()).toContain("An answer is being written."));
  expect(box().value).toBe("hello");
});

test("pieces of text go where their offset says", async () => {
  await connect([turn("q", null), turn("a", "q", "One ", { state: "writing" })]);
  kernel.event(1, { whole: false, turns: [turn("a", "q", "two", { at: 4, state: "writing" })] });
  kernel.event(2, { whole: false, turns: [turn("a", "q", "two three", { at: 4 })] });
  await vi.waitFor(() => expect(root().querySelector(".md")!.textContent).toContain("One two three"));
});

test("shift enter and composing make no message", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  press(box(), "Enter", { shiftKey: true });
  press(box(), "Enter", { isComposing: true });
  expect(asked("ask")).toBeUndefined();
});

test("which key sends is a setting: the other one begins a new line, and the words beside the box say so", async () => {
  await connect();
  type("hello");
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  const swap = async (words: string): Promise<void> => {
    button("More").click(); // happy-dom opens no popover
    root().querySelector('[aria-label="More"][popover]')!.dispatchEvent(Object.assign(new Event("toggle"), { newState: "open" }));
    await vi.waitFor(() => expect(button(words)).toBeTruthy());
    button(words).click();
  };
  await swap("Send with Shift Enter");
  await vi.waitFor(() => expect(root().querySelector(".hint")!.textContent).toBe("Shift Enter sends, Enter new line"));
  press(box(), "Enter");
  expect(asked("ask")).toBeUndefined();
  press(box(), "Enter", { shiftKey: true });
  expect(asked("ask").args.text).toBe("hello");
  expect(localStorage.getItem("spoon.chat.sends")).toBe("Shift Enter");
  localStorage.clear();
});

test("a sent picture opens large, with its thumbnail until it has come", async () => {
  const attachment = { content: "/storage/media/p.png", thumbnail: "/storage/media/t.png", filename: "p.png", mime_type: "image/png", bytes: 9, width: 640, height: 480 };
  let made = 0;
  vi.spyOn(URL, "createObjectURL").mockImplementation(() => `blob:${made++}`);
  await connect([turn("q", null, "look", { attachments: [attachment] })]);
  const bytes = new DataView(new ArrayBuffer(3));
  const give = (path: string) => {
    const { id } = kernel.sent.findLast(({ op, args }) => op === "media" && args.path === path);
    kernel.say({ k: "res", id }, [bytes]);
  };
  await vi.waitFor(() => give(attachment.thumbnail));
  (await part<HTMLButtonElement>("button.thumb")).click();
  const large = await part<HTMLImageElement>("dialog.picture > img");
  expect(large.getAttribute("src")).toBe("blob:0");
  await vi.waitFor(() => give(attachment.content));
  await vi.waitFor(() => expect(large.getAttribute("src")).toBe("blob:1"));
  button("Close").click();
  await vi.waitFor(() => expect(root().querySelector("dialog.picture")).toBeNull());
  vi.restoreAllMocks();
});

test("nothing answers: the pane offers what needs nothing first", async () => {
  await connect([], { models: { ...MODELS, choice: null, choices: [] } });
  expect(text()).toContain("Pick something to talk to");
  expect(root().querySelectorAll(".btn.primary:not(:disabled)")).toHaveLength(1);
  button("Download and start").click();
  expect(asked("pull")).toBeDefined();
  kernel.event(1, { whole: false, turns: [], pull: { name: "smollm2:135m", completed: 47e6, total: 94e6, error: null } });
  await vi.waitFor(() => expect(text()).toContain("47 of 94 MB"));
  expect(root().querySelector("[role=progressbar]")!.getAttribute("aria-valuenow")).toBe("50");
});

test("a look at the providers is waited for, and its failure told", async () => {
  const nobody = { ...MODELS, choice: null, choices: [] };
  await connect([], { models: { ...nobody, looking: true } });
  expect(text()).toContain("Looking for models");
  const error = { code: "STORE_UNAVAILABLE", message: "The store is away.", retry_after_s: null };
  kernel.event(1, { whole: false, models: { ...nobody, look_error: error }, turns: [] });
  await vi.waitFor(() => expect(text()).toContain("The store is away."));
  button("Look again").click();
  expect(asked("look")).toBeDefined();
});

test("unknown counts are not shown, known ones are, and the ledger sums every branch", async () => {
  const usage = { prompt_tokens: 10, completion_tokens: 1204, total_tokens: 1214 };
  await connect([turn("q", null), turn("b", "q", "other", { usage, cost_usd: 0.5 }), turn("a", "q", "x", { first_token_ms: 184, usage, cost_usd: 0.25 })]);
  await vi.waitFor(() => expect(text()).toContain("first token0.18 s"));
  expect(text()).toContain("tokens1,204");
  expect(text()).not.toContain("speed");
  expect(root().querySelector("footer.ledger")!.textContent).toContain("20 tokens in2,408 out$0.75");
});

test("versions are switched with the buttons and with Alt and the arrows", async () => {
  await connect([turn("q", null, "ask"), turn("a", "q", "one"), turn("b", "q", "two")]);
  await vi.waitFor(() => expect(text()).toContain("2 of 2"));
  button("Previous version").click();
  expect(asked("show").args).toEqual({ id: "a" });
  kernel.event(1, { whole: false, about: about("a"), turns: [] });
  await vi.waitFor(() => expect(text()).toContain("1 of 2"));
  expect(root().querySelector(".md")!.textContent).toContain("one");
  press(root().querySelector("article[data-turn=a]")!, "ArrowRight", { altKey: true });
  expect(asked("show").args).toEqual({ id: "b" });
  type("by words");
  const before = kernel.sent.length;
  press(box(), "ArrowLeft", { altKey: true });
  expect(kernel.sent).toHaveLength(before);
});

test("up in an empty box edits the last question; sending it makes a branch, escape leaves it", async () => {
  await connect([turn("q1", null, "first"), turn("a1", "q1", "x"), turn("q2", "a1", "second"), turn("a2", "q2", "y")]);
  press(box(), "ArrowUp");
  const editor = await part<HTMLTextAreaElement>("textarea[aria-label='Edit message']");
  expect(editor.value).toBe("second");
  press(editor, "Escape");
  await vi.waitFor(() => expect(root().querySelector("textarea[aria-label='Edit message']")).toBeNull());
  expect(asked("stop")).toBeUndefined();
  press(box(), "ArrowUp");
  const again = await part<HTMLTextAreaElement>("textarea[aria-label='Edit message']");
  again.value = "in other words";
  again.dispatchEvent(new Event("input", { bubbles: true }));
  press(again, "Enter");
  await vi.waitFor(() => expect(asked("edit").args).toEqual({ id: "q2", text: "in other words" }));
});

test("answers that none was kept of stand side by side, and one is kept", async () => {
  const answers = [turn("a", "q", "one", { model: "m1" }), turn("b", "q", "", { model: "m2", state: "writing" })];
  await connect([turn("q", null, "which?"), ...answers], { about: about("q") });
  await vi.waitFor(() => expect(root().querySelectorAll(".answer")).toHaveLength(2));
  const [first, second] = root().querySelectorAll(".answer");
  [...second!.querySelectorAll("button")].find((found) => found.textContent === "Stop")!.click();
  expect(asked("stop").args).toEqual({ id: "b" });
  type("go on");
  await vi.waitFor(() => expect(box().value).toBe("go on"));
  press(box(), "Enter");
  expect(asked("ask")).toBeUndefined();
  [...first!.querySelectorAll("button")].find((found) => found.textContent === "Keep this answer")!.click();
  expect(asked("keep").args).toEqual({ id: "a" });
});

test("a failed answer names provider and code, and is asked again", async () => {
  const error = { code: "RATE_LIMITED", message: "Too many", retry_after_s: 18 };
  await connect([turn("q", null), turn("a", "q", "", { state: "failed", error })]);
  await vi.waitFor(() => expect(text()).toContain("asks to wait 18 s"));
  expect(text()).toContain("local, RATE_LIMITED");
  button("Retry").click();
  expect(asked("again").args).toEqual({ id: "a" });
});

test("what is no picture and what is too large is refused before it is sent", async () => {
  await connect();
  const input = root().querySelector<HTMLInputElement>("input[type=file]")!;
  const large = new File(["x"], "huge.png", { type: "image/png" });
  Object.defineProperty(large, "size", { value: 60 * 1024 ** 2 });
  for (const [file, words] of [[new File(["x"], "notes.pdf", { type: "application/pdf" }), "notes.pdf is no picture"], [large, "huge.png has 60 MB"]] as const) {
    Object.defineProperty(input, "files", { value: [file], configurable: true });
    input.dispatchEvent(new Event("change"));
    await vi.waitFor(() => expect(text()).toContain(words));
  }
  expect(asked("upload")).toBeUndefined();
});

test("a picture is sent in pieces, kept, and goes with the question", async () => {
  await connect();
  const input = root().querySelector<HTMLInputElement>("input[type=file]")!;
  Object.defineProperty(input, "files", { value: [new File(["picture"], "a.png", { type: "image/png" })], configurable: true });
  input.dispatchEvent(new Event("change"));
  await vi.waitFor(() => expect(asked("upload")).toBeDefined());
  expect(button("Send").disabled).toBe(true);
  kernel.say({ k: "res", id: asked("upload").id, data: { arrived: 1 } });
  await vi.waitFor(() => expect(asked("attach")).toBeDefined());
  expect(asked("attach").args).toEqual({ upload: asked("upload").args.upload, filename: "a.png" });
  kernel.say({ k: "res", id: asked("attach").id, data: { content: "/storage/media/p.png" } });
  await vi.waitFor(() => expect(button("Send").disabled).toBe(false));
  button("Send").click();
  expect(asked("ask").args).toEqual({ text: "", attachments: ["/storage/media/p.png"] });
});

test("pictures are pasted and dropped too, and taken away again", async () => {
  await connect();
  const files = [new File(["x"], "a.png", { type: "image/png" })];
  const paste = Object.assign(new Event("paste", { bubbles: true, cancelable: true }), { clipboardData: { files } });
  box().dispatchEvent(paste);
  expect(paste.defaultPrevented).toBe(true);
  const drop = Object.assign(new Event("drop", { bubbles: true, cancelable: true }), { dataTransfer: { files, types: ["Files"] } });
  root().querySelector("section")!.dispatchEvent(drop);
  await vi.waitFor(() => expect(root().querySelectorAll(".thumb-frame")).toHaveLength(2));
  button("Remove a.png").click();
  await vi.waitFor(() => expect(root().querySelectorAll(".thumb-frame")).toHaveLength(1));
});

test("a refused option stands at its field and what was typed stays", async () => {
  await connect();
  button("Options").click();
  const field = await part<HTMLInputElement>(".drawer input");
  field.value = "12";
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("blur"));
  await vi.waitFor(() => expect(asked("option").args).toEqual({ name: "temperature", text: "12" }));
  kernel.say({ k: "res", id: asked("option").id, error: { code: "VALIDATION_ERROR", message: "12 is too high" } });
  await vi.waitFor(() => expect(root().querySelector(".drawer")!.textContent).toContain("12 is too high"));
  expect(field.value).toBe("12");
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

function held(): Conversation {
  const chat = new Conversation();
  const answer = "Look:\n\n```python\nx = 1\n```\n\nThat is all.";
  const turns = [turn("q", null, 'why "fog"?'), turn("a", "q", answer), turn("b", "q", "not shown")];
  chat.take({ whole: true, models: MODELS, pull: null, about: about("a", { system: "Be brief.", options: { seed: "18446744073709551615", stop: "END" } }), turns });
  return chat;
}

test("a branch is saved as markdown, everything as JSON", () => {
  expect(toMarkdown(held())).toBe('# fog\n\n**You**\n\nwhy "fog"?\n\n**echo**\n\nLook:\n\n```python\nx = 1\n```\n\nThat is all.\n');
  expect(JSON.parse(toJSON(held())).turns.map((one: { text: string }) => one.text)).toHaveLength(3);
});

test("a branch as Python asks the same again, with an exact seed", () => {
  const code = toPython(held());
  expect(code).toContain('options = {"seed": 18446744073709551615, "stop": ["END"]}');
  expect(code).toContain('messages = [{"role": "system", "content": "Be brief."}]');
  expect(code).toContain('await ask("why \\"fog\\"?", provider="local", model="echo")');
  expect(python([null, true, { a: false }])).toBe('[None, True, {"a": False}]');
});

test("Python in an answer is a cell of the saved notebook", () => {
  const { cells, nbformat } = JSON.parse(toNotebook(held()));
  expect(nbformat).toBe(4);
  expect(cells.map((cell: any) => [cell.cell_type, cell.source])).toEqual([
    ["markdown", "# fog"],
    ["markdown", '**You**\n\nwhy "fog"?'],
    ["markdown", "**echo**\n\nLook:"],
    ["code", "x = 1"],
    ["markdown", "That is all."],
  ]);
});
