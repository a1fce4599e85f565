import { computed, signal, type Signal } from "@preact/signals";

export type TurnState = "waiting" | "writing" | "done" | "stopped" | "failed";

export interface Counts {
  first_token_s: number | null;
  prompt_tokens: number | null;
  tokens: number | null;
  /** Tokens a second. */
  speed: number | null;
}

export interface Trouble {
  code: string;
  message: string;
  retry_after_s: number | null;
}

/** A turn as `Turn.row` in `_conversation.py` sends it, but for its text. */
export interface Facts {
  id: string;
  role: "user" | "assistant";
  state: TurnState;
  model: string;
  where: string;
  error: Trouble | null;
  warnings: string[];
  finish_reason: string | null;
  counts: Counts;
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

export interface ChatData {
  whole: boolean;
  choice?: Choice | null;
  choices?: Choice[];
  pull?: Pull | null;
  looking?: boolean;
  look_error?: Trouble | null;
  turns: (Facts & { at: number; text: string })[];
}

export interface Turn {
  id: string;
  facts: Signal<Facts>;
  text: Signal<string>;
}

/** What the page knows of the conversation; `take` is fed with states and events alike. */
export class Conversation {
  readonly turns = signal<Turn[]>([]);
  readonly choice = signal<Choice | null>(null);
  readonly choices = signal<Choice[]>([]);
  readonly pull = signal<Pull | null>(null);
  /** Whether the kernel is asking the providers for their models. */
  readonly looking = signal(true);
  readonly lookError = signal<Trouble | null>(null);
  readonly last = computed(() => this.turns.value.at(-1));
  readonly live = computed(() => isLive(this.last.value?.facts.value.state));

  take(data: ChatData): void {
    if (data.choice !== undefined) this.choice.value = data.choice;
    if (data.choices !== undefined) this.choices.value = data.choices;
    if (data.pull !== undefined) this.pull.value = data.pull;
    if (data.looking !== undefined) this.looking.value = data.looking;
    if (data.look_error !== undefined) this.lookError.value = data.look_error;
    const known = new Map(this.turns.peek().map((turn) => [turn.id, turn]));
    const rows = data.turns.map((row) => this.#turn(known.get(row.id), row));
    const fresh = rows.filter((turn) => !known.has(turn.id));
    if (data.whole) this.turns.value = rows;
    else if (fresh.length > 0) this.turns.value = [...this.turns.peek(), ...fresh];
  }

  #turn(turn: Turn | undefined, { at, text, ...facts }: ChatData["turns"][number]): Turn {
    if (!turn) return { id: facts.id, facts: signal(facts), text: signal(text) };
    turn.text.value = turn.text.peek().slice(0, at) + text;
    turn.facts.value = facts;
    return turn;
  }

  /** The conversation as markdown, for the clipboard. */
  markdown(): string {
    return this.turns
      .peek()
      .map((turn) => `**${turn.facts.peek().role === "user" ? "You" : turn.facts.peek().model}**\n\n${turn.text.peek()}`)
      .join("\n\n");
  }
}

export function isLive(state: TurnState | undefined): boolean {
  return state === "waiting" || state === "writing";
}

export function sameChoice(a: Choice | null, b: Choice): boolean {
  return a !== null && a.provider === b.provider && a.model === b.model && a.profile_id === b.profile_id;
}

/** A share of bytes in percent, 0 while the whole is unknown. */
export function share(pull: Pull): number {
  return pull.total ? Math.min(100, Math.round((100 * pull.completed) / pull.total)) : 0;
}
