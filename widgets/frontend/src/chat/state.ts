import { computed, signal, type Signal } from "@preact/signals";
import type { Trouble, Turn } from "../core/types";
import { Branches } from "./tree";

/** A turn as `Tree.row` in `_turns.py` sends it, but for its text. */
export interface Facts extends Omit<Turn, "text"> {
  /** How long it has been in the writing, where the kernel writes it itself. */
  elapsed_ms: number | null;
}

export interface Choice {
  provider: string;
  model: string | null;
  profile_id: string | null;
  where: string;
  size: string;
}

export interface Pull {
  name: string;
  completed: number;
  total: number | null;
  error: Trouble | null;
}

export interface Models {
  choice: Choice | null;
  choices: Choice[];
  /** Whom the next question goes to at once; nobody: one model answers. */
  compared: Choice[];
  /** What the chosen profile sends where the conversation says nothing. */
  defaults: Record<string, string>;
  /** Whether the kernel is asking the providers for their models. */
  looking: boolean;
  look_error: Trouble | null;
}

export interface About {
  id: string | null;
  title: string;
  /** The last turn of the branch that is shown. */
  active: string | null;
  system: string;
  /** As text, so that a 64-bit seed stays exact. */
  options: Record<string, string>;
  notice: string;
  loaded: boolean;
}

export interface ChatData {
  whole: boolean;
  models?: Models;
  pull?: Pull | null;
  about?: About;
  turns: (Facts & { at: number; text: string })[];
}

export interface Entry {
  id: string;
  parent: string | null;
  role: Turn["role"];
  facts: Signal<Facts>;
  text: Signal<string>;
  /** When this page first saw it being written, on the page's clock. */
  beganAt: number;
}

const NO_MODELS: Models = { choice: null, choices: [], compared: [], defaults: {}, looking: true, look_error: null };
const NOTHING: About = { id: null, title: "", active: null, system: "", options: {}, notice: "", loaded: false };

/** What the page knows of the conversation; `take` is fed with states and events alike. */
export class Conversation {
  readonly models = signal<Models>(NO_MODELS);
  readonly pull = signal<Pull | null>(null);
  readonly about = signal<About>(NOTHING);
  readonly branches = signal(new Branches<Entry>([]));
  readonly choice = computed(() => this.models.value.choice);
  /** The branch that is shown. */
  readonly shown = computed(() => this.branches.value.path(this.about.value.active));
  /** Answers that stand side by side because none of them was kept yet. */
  readonly compared = computed(() => {
    const end = this.shown.value.at(-1);
    return end?.role === "user" ? this.branches.value.below(end.id) : [];
  });
  readonly writing = computed(() => this.branches.value.all.filter((entry) => entry.facts.value.state === "writing"));
  readonly live = computed(() => this.writing.value.length > 0);

  take(data: ChatData): void {
    if (data.models) this.models.value = data.models;
    if (data.pull !== undefined) this.pull.value = data.pull;
    const known = this.branches.peek();
    const rows = data.turns.map((row) => this.#entry(known.get(row.id), row));
    const fresh = rows.filter((entry) => !known.get(entry.id));
    if (data.whole) this.branches.value = new Branches(rows);
    else if (fresh.length > 0) this.branches.value = new Branches([...known.all, ...fresh]);
    if (data.about) this.about.value = data.about; // last: its active turn is there by now
  }

  #entry(entry: Entry | undefined, { at, text, ...facts }: ChatData["turns"][number]): Entry {
    if (entry) {
      entry.text.value = entry.text.peek().slice(0, at) + text;
      entry.facts.value = facts;
      return entry;
    }
    const beganAt = performance.now() - (facts.elapsed_ms ?? 0);
    return { id: facts.id, parent: facts.parent_id, role: facts.role, facts: signal(facts), text: signal(text), beganAt };
  }
}

export function sameChoice(a: Choice | null, b: Choice): boolean {
  return a !== null && a.provider === b.provider && a.model === b.model && a.profile_id === b.profile_id;
}

/** A share of bytes in percent, 0 while the whole is unknown. */
export function share(pull: Pull): number {
  return pull.total ? Math.min(100, Math.round((100 * pull.completed) / pull.total)) : 0;
}
