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
  name: string;
  status: Status;
  /** 0 to 1. */
  progress: number;
  error: string | null;
  results: ResultRow[];
}

export interface TasksData {
  tasks: TaskRow[];
}

/** The tasks of the pane in their order; a row replaces the one with its id. */
export class TaskList {
  readonly rows = signal<TaskRow[]>([]);
  readonly ended = computed(() => this.rows.value.filter((row) => !runs(row)).length);
  readonly failed = computed(() => this.rows.value.filter((row) => row.status === "failed").length);

  take(data: TasksData): void {
    const fresh = new Map(data.tasks.map((row) => [row.id, row]));
    const kept = this.rows.peek().map((row) => fresh.get(row.id) ?? row);
    const known = new Set(kept.map((row) => row.id));
    this.rows.value = [...kept, ...data.tasks.filter((row) => !known.has(row.id))];
  }
}

export function runs(row: TaskRow): boolean {
  return row.status === "pending" || row.status === "running";
}
