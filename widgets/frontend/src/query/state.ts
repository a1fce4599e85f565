import { computed, signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";

/** A cell as the kernel sends it: a number that is exact, else text, cut at `CUT` characters. */
export type Cell = string | number | boolean | null;
export type Sort = [column: number, largest: boolean][];
export const WINDOW = 200;
export const CUT = 160;

export interface Trouble {
  code: string;
  message: string;
  at: "editor" | "filter";
  sql: string;
  line?: number;
  column?: number;
  length?: number;
  retry_after_s?: number | null;
}

export interface RunData {
  number: number;
  state: "idle" | "running" | "done" | "failed" | "stopped";
  error: Trouble | null;
  elapsed?: number;
  sql?: string;
  statement?: string;
  parameters?: Record<string, unknown>;
  sort?: Sort;
  where?: string;
  fields?: string[];
  types?: string[];
  count?: number;
  truncated?: boolean;
  ms?: number;
  at?: number;
  /** Places of the columns with ids of generations that have a picture. */
  pictures: number[];
  /** The gallery that follows this query. */
  gallery: { shown: number | null } | null;
  /** Whether a gallery is beside this pane, in the view of the whole workbench. */
  beside?: boolean;
  /** Nothing is asked that the user did not ask for: the server counts questions. */
  spared?: boolean;
}

export interface Column {
  name: string;
  type: string;
  comment: string;
}

export interface Table {
  name: string;
  rows: number | null | undefined;
  columns: Column[];
}

export interface ColumnSummary {
  kind: "number" | "time" | "name" | "other";
  nulls: number;
  distinct?: number;
  min?: string | null;
  max?: string | null;
  bars?: number[];
  often?: [string, number][];
}

export interface Drawing {
  error: string;
  draw?: "bar" | "line" | "scatter";
  kind?: "number" | "time" | "name";
  x?: string;
  y?: string;
  series?: { name: string; points: [number | string, number][] }[];
  left_out?: number;
  sampled?: boolean;
}

export interface FileData {
  number?: number;
  name?: string;
  type?: string;
  size?: number;
  error?: { message: string };
}

export interface QueryData {
  run?: RunData;
  schema?: { tables: Table[] | null; error: { message: string } | null };
  summary?: ({ number: number; total: number; columns: ColumnSummary[] } & object) | null;
  chart?: Drawing | null;
  file?: FileData;
}

export interface ChartWish {
  draw: "bar" | "line" | "scatter";
  x: string;
  y: string;
  how: string;
  by: string;
}

const NO_RUN: RunData = { number: 0, state: "idle", error: null, pictures: [], gallery: null };

/** What the pane knows: the run, its rows as far as they were looked at, the tables. */
export class QueryState {
  readonly run = signal<RunData>(NO_RUN);
  readonly tables = signal<Table[] | null>(null);
  readonly schemaError = signal("");
  readonly summary = signal<QueryData["summary"]>(null);
  readonly drawing = signal<Drawing | null>(null);
  readonly file = signal<FileData>({});
  readonly sql = signal("");
  readonly history = signal<string[]>([]);
  readonly values = signal<Record<string, string>>({});
  readonly chart = signal<Partial<ChartWish>>({});
  readonly shown = signal("table");
  /** When the statement that runs began, on this page's clock. */
  readonly began = signal(0);
  readonly said = signal("");
  /** The order and filter that were asked for last: the next wish is built on them, before they are answered. */
  readonly order = signal<Sort>([]);
  readonly where = signal("");
  readonly selected = signal<ReadonlySet<number>>(new Set());
  readonly at = signal<[row: number, column: number]>([0, 0]);
  readonly panel = signal(false);
  /** Grows with each window of rows that arrives. */
  readonly filled = signal(0);
  readonly running = computed(() => this.run.value.state === "running");
  /** How many rows the grid has. */
  readonly count = computed(() => this.run.value.count ?? 0);
  rpc!: Rpc;
  /** Has what was typed go to Python: from then on Python may write another statement. */
  beforeAsking: () => void = () => {};
  /** Told of each answer. */
  onAnswer: (run: RunData) => void = () => {};
  #windows = new Map<number, Cell[][] | "asked">();
  #number = 0;

  take(data: QueryData): void {
    if (data.run) this.#takeRun(data.run);
    if (data.schema) {
      this.tables.value = data.schema.tables;
      this.schemaError.value = data.schema.error?.message ?? "";
    }
    if (data.summary !== undefined) this.summary.value = data.summary;
    if (data.chart !== undefined) this.drawing.value = data.chart;
    if (data.file) this.file.value = data.file;
  }

  #takeRun(run: RunData): void {
    if (run.state === "running" && !(this.run.peek().state === "running" && this.began.peek())) this.began.value = performance.now() - (run.elapsed ?? 0);
    if (run.state !== "running") this.began.value = 0;
    const fresh = run.number !== this.#number;
    if (fresh) {
      this.#number = run.number;
      this.#windows.clear();
      this.selected.value = new Set();
      const [row, column] = this.at.peek();
      const same = (run.fields ?? []).join("\n") === (this.run.peek().fields ?? []).join("\n");
      this.at.value = same ? [Math.min(row, Math.max(0, (run.count ?? 0) - 1)), column] : [0, 0];
      if (!same) this.panel.value = false;
    }
    this.run.value = run;
    if (run.state !== "running") {
      this.order.value = run.sort ?? [];
      this.where.value = run.where ?? "";
    }
    if (fresh) {
      this.filled.value++;
      if (run.number > 0) this.need(0, Math.min(WINDOW, run.count ?? 0));
      this.onAnswer(run);
    }
  }

  /** Have these rows fetched, as far as they are not here. */
  need(from: number, to: number): void {
    for (let start = Math.floor(from / WINDOW) * WINDOW; start < to; start += WINDOW) {
      if (this.#windows.has(start)) continue;
      this.#windows.set(start, "asked");
      void this.#fetch(start);
    }
  }

  async #fetch(start: number): Promise<void> {
    const number = this.#number;
    try {
      const rows = await this.rpc.call<Cell[][]>("rows", { number, start });
      if (number !== this.#number) return;
      this.#windows.set(start, rows);
      this.filled.value++;
    } catch {
      if (number === this.#number) this.#windows.delete(start); // asked again when it is next in view
    }
  }

  row(index: number): Cell[] | undefined {
    const start = Math.floor(index / WINDOW) * WINDOW;
    const rows = this.#windows.get(start);
    return rows === "asked" ? undefined : rows?.[index - start];
  }

  cell(row: number, column: number): Cell | undefined {
    return this.row(row)?.[column];
  }

  /** A cell's whole text; JSON in lines. */
  async whole(row: number, column: number): Promise<string> {
    const cell = this.cell(row, column);
    if (cell === undefined || isCut(cell) || isNested(this.run.peek().types?.[column] ?? ""))
      return this.rpc.call<string>("cell", { number: this.#number, row, column });
    return cell === null ? "" : String(cell);
  }

  async copied(form: "tsv" | "json"): Promise<string> {
    return this.rpc.call<string>("copy", { number: this.#number, rows: [...this.selected.peek()], form });
  }

  select(rows: Iterable<number>): void {
    this.selected.value = new Set(rows);
    void this.rpc.call("select", { number: this.#number, rows: [...this.selected.peek()] }).catch(() => {});
  }

  start(sql: string): void {
    this.said.value = "";
    this.beforeAsking();
    void this.rpc.call("run", { sql, values: this.values.peek() }).catch((error: Error) => (this.said.value = error.message));
  }

  /** The same statement with another order and filter around it. */
  arrange(sort: Sort, where: string): void {
    this.order.value = sort;
    this.where.value = where;
    void this.rpc.call("view", { sort, where }).catch((error: Error) => (this.said.value = error.message));
  }

  stop(): void {
    void this.rpc.call("stop").catch(() => {});
  }

  /** Show the pictures of the result in the gallery beside. */
  async toGallery(): Promise<void> {
    this.said.value = "";
    try {
      const count = await this.rpc.call<number>("to_gallery");
      this.said.value = count > 0 ? `${count.toLocaleString("en")} shown in the gallery` : "None of these is in the gallery: it has another session";
    } catch (error) {
      this.said.value = (error as Error).message;
    }
  }

  /** Ask about what is selected in the gallery beside. */
  about(): void {
    this.said.value = "";
    this.beforeAsking();
    void this.rpc.call("about").catch((error: Error) => (this.said.value = error.message));
  }

  summarise(): void {
    this.said.value = "";
    void this.rpc.call("summaries").catch((error: Error) => (this.said.value = error.message));
  }

  draw(wish: Partial<ChartWish>): void {
    this.chart.value = wish;
    void this.rpc.call("chart", { chart: wish }).catch((error: Error) => (this.drawing.value = { error: error.message }));
  }
}

export function isCut(cell: Cell): boolean {
  return typeof cell === "string" && cell.length > CUT;
}

export function isNested(type: string): boolean {
  return type === "JSON" || type.endsWith("]") || /^(STRUCT|MAP|UNION)/.test(type);
}

/** What a click on a column's head does: smallest first, largest first, as it was. With `more` it joins the others. */
export function sorted(sort: Sort, column: number, more: boolean): Sort {
  const now = sort.find(([place]) => place === column);
  const next: Sort = !now ? [[column, false]] : now[1] ? [] : [[column, true]];
  if (!more) return next;
  const others = sort.filter(([place]) => place !== column);
  return now && next.length > 0 ? sort.map((one) => (one[0] === column ? next[0]! : one)) : [...others, ...next];
}
