import { computed, signal } from "@preact/signals";

export type Status = "pending" | "running" | "complete" | "failed" | "gone";

export interface ResultRow {
  id: string;
  type: "text" | "image" | "video" | "audio";
  text: string;
  /** Whether `text` is only the beginning. */
  cut: boolean;
  /** As text: seeds go to 2^64. */
  seed: string | null;
}

export interface TaskRow {
  id: string;
  kind: "task" | "generation";
  name: string;
  /** Who does it. */
  where: string;
  status: Status;
  /** 0 to 1. */
  progress: number;
  /** About how long it will take yet; null is unknown. */
  left_s: number | null;
  error: string | null;
  results: ResultRow[];
}

export interface TasksData {
  tasks: TaskRow[];
  /** Every row that is shown, in order; left out where nothing of it changed. */
  order?: string[];
  ready?: boolean;
  trouble?: string;
}

/** The tasks of the pane in their order; a row replaces the one with its id. */
export class TaskList {
  readonly rows = signal<TaskRow[]>([]);
  /** Whether a live list has been read. */
  readonly ready = signal(false);
  /** Why a live list cannot be read. */
  readonly trouble = signal("");
  readonly ended = computed(() => this.rows.value.filter((row) => !runs(row)).length);
  readonly failed = computed(() => this.rows.value.filter((row) => row.status === "failed").length);
  /** What runs or waits, and what has failed. */
  readonly open = computed(() => this.rows.value.filter((row) => runs(row) || row.status === "failed"));

  take(data: TasksData): void {
    const rows = new Map([...this.rows.peek(), ...data.tasks].map((row) => [row.id, row]));
    this.rows.value = data.order ? data.order.flatMap((id) => rows.get(id) ?? []) : [...rows.values()];
    if (data.ready !== undefined) this.ready.value = data.ready;
    if (data.trouble !== undefined) this.trouble.value = data.trouble;
  }
}

export function runs(row: TaskRow): boolean {
  return row.status === "pending" || row.status === "running";
}

/** A time that is left, as people say it. */
export function left(seconds: number | null): string {
  if (seconds === null) return "";
  return seconds < 60 ? `${Math.max(1, seconds)} s` : `${Math.round(seconds / 60)} min`;
}
