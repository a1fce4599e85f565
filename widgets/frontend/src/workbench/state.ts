import { computed, signal } from "@preact/signals";
import type { Entry, OffersRow } from "../profiles/state";

export const TABS = ["images", "chat", "query", "tasks", "profiles"] as const;
export type Tab = (typeof TABS)[number];
export const TAB_NAMES: Record<Tab, string> = { images: "Images", chat: "Chat", query: "Query", tasks: "Tasks", profiles: "Profiles" };

export interface Counts {
  /** Null is unknown. */
  images: number | null;
  chats: number | null;
  /** A list of chats ends there: that many, or more. */
  most_chats: number;
  running: number;
  failed: number;
}

export interface BenchData {
  looked?: boolean;
  entries?: Entry[];
  profile?: string | null;
  offers?: OffersRow;
  /** Tab, or "look" -> why it could not be opened. */
  trouble?: Record<string, string>;
  counts?: Counts;
}

const NO_OFFERS: OffersRow = { simulated: null, local: false, pull: null, comfyui: null, ollama: 0 };

/** What the view knows of the workbench. Each part is replaced when the kernel sends it. */
export class Bench {
  readonly looked = signal(false);
  readonly entries = signal<Entry[]>([]);
  readonly profile = signal<string | null>(null);
  readonly offers = signal<OffersRow>(NO_OFFERS);
  readonly trouble = signal<Record<string, string>>({});
  readonly counts = signal<Counts>({ images: null, chats: null, most_chats: 100, running: 0, failed: 0 });
  readonly chosen = computed(() => this.entries.value.find(({ id }) => id === this.profile.value));
  readonly answering = computed(() => this.entries.value.filter(({ state }) => state === "ok").length);

  take(data: BenchData): void {
    if (data.looked !== undefined) this.looked.value = data.looked;
    if (data.entries) this.entries.value = data.entries;
    if (data.profile !== undefined) this.profile.value = data.profile;
    if (data.offers) this.offers.value = data.offers;
    if (data.trouble) this.trouble.value = data.trouble;
    if (data.counts) this.counts.value = data.counts;
  }
}

/** Where the arrows lead among `length` things in a ring; undefined for other keys. */
export function step(key: string, at: number, length: number, back: string, forth: string): number | undefined {
  if (key === back) return (at - 1 + length) % length;
  if (key === forth) return (at + 1) % length;
  if (key === "Home") return 0;
  if (key === "End") return length - 1;
  return undefined;
}

/** The parameters in one line: "a lighthouse, 20 steps, cfg 7". */
export function summaryWords(values: Record<string, string>): string {
  const parts = [values.prompt, values.steps && `${values.steps} steps`, values.cfg_scale && `cfg ${values.cfg_scale}`];
  return parts.filter(Boolean).join(", ");
}
