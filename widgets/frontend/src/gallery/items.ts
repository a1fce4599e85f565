/** Rows of generations as the kernel tells them, and the tiles that they make: one for each picture, film or sound. */
export type Status = "pending" | "running" | "complete" | "failed";
export type TileState = "queued" | "running" | "complete" | "failed";

export interface OutputRow {
  kind: "image" | "video" | "audio" | "text" | "file";
  width?: number;
  height?: number;
  size?: number;
  rating?: number;
  thumb: boolean;
  file: boolean;
}

/** As `_gallery_rows.py` writes it. What is not known is not there. */
export interface RowData {
  id: string;
  status: Status;
  created: number;
  prompt: string;
  width?: number;
  height?: number;
  steps?: number;
  cfg_scale?: number;
  seed?: string;
  sampler_name?: string;
  scheduler?: string;
  checkpoint_name?: string;
  rating?: number;
  time?: number;
  error?: string;
  progress?: number;
  node?: string;
  started?: boolean;
  outputs: OutputRow[];
}

/** One generation. Ten thousand of them are kept, so each text is kept once. */
export class Row {
  readonly id: string;
  status: Status;
  readonly created: number;
  readonly prompt: string;
  readonly lower: string;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly steps: number | undefined;
  readonly cfg_scale: number | undefined;
  readonly seed: bigint | undefined;
  readonly sampler_name: string | undefined;
  readonly scheduler: string | undefined;
  readonly checkpoint_name: string | undefined;
  rating: number | undefined;
  readonly time: number | undefined;
  error: string | undefined;
  readonly progress: number;
  readonly node: string;
  readonly started: boolean;
  readonly outputs: OutputRow[];

  constructor(data: RowData, kept: Texts) {
    this.id = data.id;
    this.status = data.status;
    this.created = data.created;
    this.prompt = kept.one(data.prompt);
    this.lower = kept.lower(this.prompt);
    this.width = data.width;
    this.height = data.height;
    this.steps = data.steps;
    this.cfg_scale = data.cfg_scale;
    this.seed = data.seed === undefined ? undefined : BigInt(data.seed);
    this.sampler_name = kept.one(data.sampler_name);
    this.scheduler = kept.one(data.scheduler);
    this.checkpoint_name = kept.one(data.checkpoint_name);
    this.rating = data.rating;
    this.time = data.time;
    this.error = data.error;
    this.progress = data.progress ?? 0;
    this.node = data.node ?? "";
    this.started = data.started ?? false;
    this.outputs = data.outputs;
  }
}

/** The same text once, however often it comes. */
export class Texts {
  #kept = new Map<string, string>();
  #lower = new Map<string, string>();

  one<T extends string | undefined>(text: T): T {
    if (text === undefined) return text;
    const known = this.#kept.get(text);
    if (known !== undefined) return known as T;
    this.#kept.set(text, text);
    return text;
  }

  lower(text: string): string {
    let low = this.#lower.get(text);
    if (low === undefined) this.#lower.set(text, (low = text.toLowerCase()));
    return low;
  }
}

/** One tile: an output of a generation, or the generation itself while there is none (`index` 0 all the same). */
export class Item {
  readonly key: string;

  constructor(
    readonly row: Row,
    readonly index: number,
    readonly output: OutputRow | undefined,
  ) {
    this.key = `${row.id}:${index}`;
  }

  get rating(): number | undefined {
    return this.output ? this.output.rating : this.row.rating;
  }

  get state(): TileState {
    const { status, started, progress } = this.row;
    if (status === "complete" || status === "failed") return status;
    return started || progress > 0 ? "running" : "queued"; // ComfyUI's own queue counts as waiting
  }

  get open(): boolean {
    return this.row.status === "pending" || this.row.status === "running";
  }
}

const SHOWN = new Set(["image", "video", "audio"]);

/** The tiles of a generation. While it runs it has one, with the key of its first picture, whose place it keeps. */
export function itemsOf(row: Row): Item[] {
  const shown = row.outputs.flatMap((output, index) => (SHOWN.has(output.kind) ? [new Item(row, index, output)] : []));
  return shown.length > 0 ? shown : [new Item(row, 0, row.outputs[0])];
}
