import { computed, signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";

export interface FieldRow {
  key: string;
  kind: "seed" | "number" | "string" | "boolean" | "choice" | "image";
  label: string;
  node: string;
  default: unknown;
  min?: unknown;
  max?: unknown;
  step?: number;
  options?: unknown[];
  integer?: boolean;
  multiline?: boolean;
  display?: string;
  tooltip?: string;
  labels?: string[];
}

export interface Group {
  title: string;
  note: string;
  fields: FieldRow[];
}

export interface Setup {
  phase: "loading" | "empty" | "ready" | "failed";
  error: { message: string } | null;
  /** What is under way that takes its time, "" for nothing; and how the last of it was refused. */
  busy: string;
  refused: string;
  workflow: { id: string; name: string; description: string | null } | null;
  workflows: { id: string; name: string; profile: string; profile_id: string }[];
  server: { name: string; url: string | null; simulated: boolean } | null;
  trouble: string | null;
  session: { id: string; title: string } | null;
  groups: Group[];
  presets: string[];
}

export type SeedMode = "fixed" | "random" | "step";

export interface ValueData {
  values: Record<string, unknown>;
  errors: Record<string, string>;
  changed: string[];
  mode: SeedMode;
  preset: string | null;
}

export interface LiveRow {
  id: string | null;
  status: string;
  progress: number;
  node: string;
  /** Since it began to run. */
  seconds: number | null;
  seed: string | number | null;
  images: number | null;
}

export interface LastRow {
  id: string;
  status: string;
  seed: string | number | null;
  error: string | null;
  warnings: string[];
  cached: boolean;
  seconds: number | null;
  pictures: number;
}

export interface LatelyRow {
  id: string;
  seed: string | number | null;
  prompt: string;
  seconds: number | null;
  steps: number | null;
  width: number | null;
  height: number | null;
  batch_size: number | null;
  workflow_id: string | null;
}

export interface RunData {
  open: LiveRow[];
  last: LastRow | null;
  failure: string | null;
  lately: LatelyRow[];
}

export interface ParamsData {
  setup?: Setup;
  values?: ValueData;
  runs?: RunData;
}

const NO_VALUES: ValueData = { values: {}, errors: {}, changed: [], mode: "random", preset: null };
const NO_RUNS: RunData = { open: [], last: null, failure: null, lately: [] };
/** Typing is sent once it pauses. */
const PAUSE_MS = 150;

/** What the kernel said, with what was typed since lying over it. */
export class ParamsState {
  readonly setup = signal<Setup | null>(null);
  readonly kernel = signal<ValueData>(NO_VALUES);
  readonly runs = signal<RunData>(NO_RUNS);
  /** Values that the kernel does not have yet. */
  readonly edits = signal<Record<string, unknown>>({});
  readonly fields = computed(() => this.setup.value?.groups.flatMap((group) => group.fields) ?? []);
  readonly live = computed(() => this.runs.value.open.length > 0);
  /** The preview of a run: a blob's address. */
  readonly preview = signal<{ id: string; url: string } | null>(null);
  rpc: Rpc | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  take(data: ParamsData): void {
    if (data.setup) this.setup.value = data.setup;
    if (data.values) this.kernel.value = data.values;
    if (data.runs) {
      this.runs.value = data.runs;
      const shown = this.preview.peek();
      if (shown && !data.runs.open.some((run) => run.id === shown.id)) this.show(null);
    }
  }

  /** A picture of a run under way. */
  hear(data: { preview?: string; content_type?: string }, buffers: DataView[]): void {
    const bytes = buffers[0];
    if (!data.preview || !bytes || !this.runs.peek().open.some((run) => run.id === data.preview)) return;
    this.show({ id: data.preview, url: URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>], { type: data.content_type })) });
  }

  show(next: { id: string; url: string } | null): void {
    const before = this.preview.peek();
    this.preview.value = next;
    if (before) URL.revokeObjectURL(before.url);
  }

  value(key: string): unknown {
    return key in this.edits.value ? this.edits.value[key] : this.kernel.value.values[key];
  }

  edit(values: Record<string, unknown>, now = false): void {
    this.edits.value = { ...this.edits.peek(), ...values };
    clearTimeout(this.#timer);
    if (now) void this.flush();
    else this.#timer = setTimeout(() => void this.flush(), PAUSE_MS);
  }

  /** Send what was typed; it lies over the kernel's values until the kernel has it. */
  async flush(mode?: SeedMode): Promise<void> {
    clearTimeout(this.#timer);
    const sent = this.edits.peek();
    if (Object.keys(sent).length === 0 && mode === undefined) return;
    try {
      await this.rpc?.call("set", { values: sent, ...(mode ? { mode } : {}) });
    } finally {
      const still = Object.entries(this.edits.peek()).filter(([key, value]) => !(key in sent) || sent[key] !== value);
      this.edits.value = Object.fromEntries(still);
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    this.show(null);
  }
}

/** How long a run like the present values took: the middle of those made lately, and how many they were. */
export function expected(state: ParamsState): { seconds: number; count: number } | null {
  const workflow = state.setup.value?.workflow?.id;
  const names = ["steps", "width", "height", "batch_size"] as const;
  const like = state.runs.value.lately
    .filter((row) => row.workflow_id === workflow && row.seconds !== null)
    .filter((row) => names.every((name) => state.value(name) === undefined || row[name] === null || String(row[name]) === String(state.value(name))))
    .map((row) => row.seconds!)
    .sort((a, b) => a - b);
  return like.length > 0 ? { seconds: like[Math.floor(like.length / 2)]!, count: like.length } : null;
}

/** Seconds left of a run, from how far it came; null while that would be a guess. */
export function left(run: LiveRow): number | null {
  return run.seconds === null || run.progress < 0.08 || run.seconds < 0.5 ? null : (run.seconds * (1 - run.progress)) / run.progress;
}
