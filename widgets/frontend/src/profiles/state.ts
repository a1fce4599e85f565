import { signal } from "@preact/signals";

/** Somebody who may answer: a profile, a provider's stored key, or what runs on this machine without either. */
export interface Entry {
  id: string;
  kind: "profile" | "settings" | "machine";
  provider: string;
  label: string;
  name: string;
  url: string | null;
  /** The address without its scheme, also where it is the provider's usual one. */
  address: string;
  /** The mask; the key itself never comes to the page. */
  key: string | null;
  prompt: string | null;
  options: Record<string, string | number>;
  makes: string[];
  models: string[];
  model_count: number;
  state: "unknown" | "testing" | "ok" | "failed";
  words: string;
  latency_ms: number | null;
  /** Time of day of the last test. */
  at: string;
}

export interface Provider {
  name: string;
  label: string;
  url: string | null;
  needs_key: boolean;
  makes: string[];
}

export interface OffersRow {
  /** The profile of the simulated ComfyUI, where there is one. */
  simulated: string | null;
  /** Whether the small local model is there. */
  local: boolean;
  pull: { completed: number; total: number | null; error: { message: string } | null } | null;
  comfyui: { address: string; checkpoints: number } | null;
  /** How many models an Ollama on this machine has. */
  ollama: number;
}

export interface ProfilesData {
  looked?: boolean;
  failure?: string;
  entries?: Entry[];
  offers?: OffersRow;
  providers?: Provider[];
}

const NO_OFFERS: OffersRow = { simulated: null, local: false, pull: null, comfyui: null, ollama: 0 };

/** What the pane knows. Each part is replaced when the kernel sends it. */
export class Book {
  readonly looked = signal(false);
  readonly failure = signal("");
  readonly entries = signal<Entry[]>([]);
  readonly offers = signal<OffersRow>(NO_OFFERS);
  readonly providers = signal<Provider[]>([]);

  take(data: ProfilesData): void {
    if (data.looked !== undefined) this.looked.value = data.looked;
    if (data.failure !== undefined) this.failure.value = data.failure;
    if (data.entries) this.entries.value = data.entries;
    if (data.offers) this.offers.value = data.offers;
    if (data.providers) this.providers.value = data.providers;
  }
}

const MADE: Record<string, string> = { text: "chat", image: "images", audio: "sound", video: "video" };
const ORDER = ["text", "image", "video", "audio"];

/** What a provider can do, as people say it: "chat and images". */
export function makesWords(makes: string[]): string {
  const words = ORDER.filter((kind) => makes.includes(kind)).map((kind) => MADE[kind]);
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The models in few words: "gpt-4o-mini and 2 more". */
export function modelsWords(entry: Entry): string {
  const first = entry.options.model ?? entry.models[0];
  if (first === undefined) return "";
  const what = entry.provider === "comfyui" ? `${entry.model_count} checkpoint${entry.model_count === 1 ? "" : "s"}` : "";
  const others = entry.model_count - (entry.models.includes(String(first)) ? 1 : 0);
  return what || (others > 0 ? `${first} and ${others} more` : String(first));
}

/** What the last test found, in words. */
export function healthWords(entry: Entry): string {
  if (entry.state === "testing") return "Testing";
  if (entry.state === "ok") return entry.latency_ms === null ? "Answers" : `Answers, ${entry.latency_ms.toLocaleString("en")} ms`;
  if (entry.state === "failed") return entry.words || "Does not answer";
  return "Not tested";
}

/** Which field an error message is about, when it begins with one: `name: the profile needs one`. */
export function fieldOf(message: string): { field: string; words: string } {
  const found = /^(?:options\.)?([a-z_]+|apiKey): (.+)$/s.exec(message);
  const field = found?.[1] === "apiKey" || found?.[1] === "api_key" ? "key" : (found?.[1] ?? "");
  const words = found?.[2] ?? message;
  return FIELDS.has(field) ? { field, words: words.charAt(0).toUpperCase() + words.slice(1) } : { field: "", words: message };
}

const FIELDS = new Set(["name", "url", "key", "model", "concurrency", "rate_per_minute", "input_usd_per_million", "output_usd_per_million"]);
