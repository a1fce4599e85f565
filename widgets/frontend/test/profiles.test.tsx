import { afterEach, beforeEach, expect, test, vi } from "vitest";
import pane from "../src/profiles";
import { fieldOf, healthWords, makesWords, modelsWords, type Entry } from "../src/profiles/state";
import { FakeModel } from "./fake";

const PROVIDERS = [
  { name: "openai", label: "OpenAI", url: "https://api.openai.com/v1", needs_key: true, makes: ["audio", "image", "text"] },
  { name: "comfyui", label: "ComfyUI", url: "http://127.0.0.1:8188", needs_key: false, makes: ["audio", "image", "video"] },
];
const OFFERS = { simulated: null, local: false, pull: null, comfyui: null, ollama: 0 };

const entry = (facts: Partial<Entry> = {}): Entry => ({
  id: "p1",
  kind: "profile",
  provider: "openai",
  label: "OpenAI",
  name: "Mine",
  url: "http://host/v1",
  address: "host/v1",
  key: "sk-...7890",
  prompt: null,
  options: {},
  makes: ["text"],
  models: ["a", "b", "c"],
  model_count: 3,
  state: "ok",
  words: "",
  latency_ms: 1234,
  at: "16:12",
  ...facts,
});

let kernel: FakeModel;
let el: HTMLElement;
let dispose: () => void;

beforeEach(() => {
  kernel = new FakeModel();
  kernel.traits = { height: 300, static_id: "" };
  el = document.body.appendChild(document.createElement("div"));
  dispose = pane.render({ model: kernel.model, el } as any) as () => void;
});
afterEach(() => {
  dispose();
  el.remove();
});

const root = (): ShadowRoot => el.firstElementChild!.shadowRoot!;
const text = (): string => root().querySelector("section")!.textContent!;
const button = (name: string): HTMLButtonElement => [...root().querySelectorAll("button")].find((one) => (one.getAttribute("aria-label") ?? one.textContent) === name)!;
const field = (name: string): HTMLInputElement => root().querySelector(`[name=${name}]`)!;

async function connect(entries: Entry[]): Promise<void> {
  kernel.answer({ seq: 0, state: { looked: true, failure: "", entries, offers: OFFERS, providers: PROVIDERS } });
  await vi.waitFor(() => expect(text()).not.toContain("Reading the profiles"));
}

test("words of an entry", () => {
  expect(makesWords(["audio", "image", "text"])).toBe("chat, images and sound");
  expect(modelsWords(entry())).toBe("a and 2 more");
  expect(modelsWords(entry({ options: { model: "z" } }))).toBe("z and 3 more");
  expect(modelsWords(entry({ provider: "comfyui", models: ["x"], model_count: 1 }))).toBe("1 checkpoint");
  expect(modelsWords(entry({ models: [], model_count: 0 }))).toBe("");
  expect(healthWords(entry())).toBe("Answers, 1,234 ms");
  expect(healthWords(entry({ state: "failed", words: "Invalid API key" }))).toBe("Invalid API key");
});

test("an error goes to the field that it names", () => {
  expect(fieldOf("concurrency: a whole number")).toEqual({ field: "concurrency", words: "A whole number" });
  expect(fieldOf("apiKey: too long")).toEqual({ field: "key", words: "Too long" });
  expect(fieldOf("Cannot connect: no route")).toEqual({ field: "", words: "Cannot connect: no route" });
});

test("the key is sent once and is in no part of the page afterwards", async () => {
  await connect([]);
  button("Add a profile").click();
  await vi.waitFor(() => expect(field("key")).toBeTruthy());
  expect(field("key").type).toBe("password");
  field("key").value = "sk-secret";
  field("name").value = "New";
  root().querySelector("form")!.dispatchEvent(new Event("submit", { cancelable: true }));
  expect(kernel.sent.at(-1)).toMatchObject({ op: "save", args: { provider: "openai", name: "New", key: "sk-secret" } });
  kernel.answer({ id: "p1" });
  await vi.waitFor(() => expect(root().querySelector("form")).toBeNull());
  expect(root().innerHTML).not.toContain("sk-secret");
  expect(JSON.stringify(kernel.traits)).not.toContain("sk-secret");
});

test("a new address asks for the key before anything is sent", async () => {
  await connect([entry()]);
  button("Edit Mine").click();
  await vi.waitFor(() => expect(field("url")).toBeTruthy());
  expect(field("key").placeholder).toBe("sk-...7890 is stored");
  const before = kernel.sent.length;
  field("url").value = "http://other/v1";
  button("Save").form!.dispatchEvent(new Event("submit", { cancelable: true }));
  await vi.waitFor(() => expect(text()).toContain("type the key again"));
  expect(kernel.sent).toHaveLength(before);
});

test("a refused save stays in the form with its reason", async () => {
  await connect([]);
  button("Add a profile").click();
  await vi.waitFor(() => expect(field("name")).toBeTruthy());
  field("name").value = "New";
  button("Add the profile").form!.dispatchEvent(new Event("submit", { cancelable: true }));
  kernel.say({ k: "res", id: kernel.sent.at(-1).id, error: { code: "BAD_REQUEST", message: "No API key for OpenAI: store one" } });
  await vi.waitFor(() => expect(text()).toContain("No API key for OpenAI"));
  expect(field("name").value).toBe("New");
});

test("a profile in use is deleted only after its counts were told", async () => {
  await connect([entry()]);
  button("Delete Mine").click();
  await vi.waitFor(() => expect(text()).toContain("Its key goes with it."));
  button("Delete the profile").click();
  expect(kernel.sent.at(-1)).toMatchObject({ op: "delete", args: { id: "p1", force: false } });
  kernel.answer({ used: "2 sessions" });
  await vi.waitFor(() => expect(text()).toContain("is used by 2 sessions"));
  button("Delete it with 2 sessions").click();
  expect(kernel.sent.at(-1)).toMatchObject({ op: "delete", args: { force: true } });
});

test("where there is no profile, what needs nothing comes first", async () => {
  await connect([]);
  expect(root().querySelectorAll(".btn.primary")).toHaveLength(1);
  button("Start it").click();
  expect(kernel.sent.at(-1).op).toBe("simulate");
  kernel.say({ k: "res", id: kernel.sent.at(-1).id, error: { code: "X", message: "Out of reach." } });
  await vi.waitFor(() => expect(text()).toContain("Out of reach."));
  const pull = { completed: 47e6, total: 94e6, error: null };
  kernel.event(1, { offers: { ...OFFERS, pull, comfyui: { address: "127.0.0.1:8188", checkpoints: 2 } } });
  await vi.waitFor(() => expect(text()).toContain("47 of 94 MB"));
  expect(text()).toContain("found at 127.0.0.1:8188");
});
