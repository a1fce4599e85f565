import { batch, signal } from "@preact/signals";
import { differing } from "./captions";
import { FilterError, matches, parseFilter, type Expression } from "./filter";
import { itemsOf, Row, Texts, type Item, type RowData, type TileState } from "./items";

export type Sort = "newest" | "oldest" | "rating" | "seed" | "time";
export type Ref = [id: string, index: number];

/** What the kernel tells: everything (its newest rows), or what has changed. */
export interface GalleryData {
  whole: boolean;
  title: string;
  trouble: { message: string } | null;
  rows: RowData[];
  gone: string[];
  selection?: Ref[];
  /** Whose thumbnails came along, in this order. */
  faces?: Ref[];
  /** Nothing that was there before is shown any more. */
  renewed?: boolean;
  /** How many generations Python left in view; null where all of them are. */
  only?: number | null;
}

export interface Counts {
  all: number;
  running: number;
  queued: number;
  failed: number;
}

const newestFirst = (a: Row, b: Row): number => b.created - a.created || (a.id < b.id ? 1 : -1);
const last = <T extends number | bigint>(value: T | undefined, other: T | undefined, down: boolean): number => {
  if (value === other) return 0;
  if (value === undefined || other === undefined) return value === undefined ? 1 : -1; // what is not known comes last
  return (value < other ? -1 : 1) * (down ? -1 : 1);
};
const ORDERS: Record<Sort, (a: Item, b: Item) => number> = {
  newest: () => 0,
  oldest: () => 0,
  rating: (a, b) => last(a.rating, b.rating, true),
  seed: (a, b) => last(a.row.seed, b.row.seed, false),
  time: (a, b) => last(a.row.time, b.row.time, true),
};

/**
 * The generations of the pane, and which of their tiles are shown in which order.
 *
 * What is new while the reader looks at something further down is held back: nothing moves under their eyes. A rating
 * moves nothing either; the order is made anew when rows come, go or change their state, and with filter and sort.
 */
export class GalleryState {
  readonly title = signal("");
  readonly trouble = signal("");
  /** Whether every row has been read. */
  readonly complete = signal(false);
  /** How many generations Python left in view; null where all of them are. */
  readonly picked = signal<number | null>(null);
  readonly items = signal<readonly Item[]>([]);
  readonly counts = signal<Counts>({ all: 0, running: 0, queued: 0, failed: 0 });
  /** Names of what differs among the items. */
  readonly differs = signal<readonly string[]>([]);
  /** New ones that are held back. */
  readonly held = signal(0);
  readonly filter = signal("");
  readonly filterError = signal<FilterError | null>(null);
  readonly only = signal<TileState | "any">("any");
  readonly sort = signal<Sort>("newest");
  /** Keys, in the order of their selection. */
  readonly selection = signal<ReadonlySet<string>>(new Set());
  /** The tile of the keyboard. */
  readonly at = signal("");
  /** Whether the reader looks at something that must not move. */
  reading = false;
  /** Hears of tiles that have changed. */
  onChange: (item: Item) => void = () => {};

  #rows = new Map<string, Row>();
  #tiles = new Map<string, Item[]>();
  #texts = new Texts();
  #held = new Set<string>();
  #places = new Map<string, number>();
  #ahead = new Map<string, number>();
  #expression: Expression | null = null;
  #typical = 0;
  #anchor = "";

  take(data: GalleryData): void {
    batch(() => {
      this.title.value = data.title;
      if (data.only !== undefined) this.picked.value = data.only;
      this.trouble.value = data.trouble?.message ?? "";
      const wasEmpty = this.#rows.size === 0;
      let moved = data.gone.filter((id) => this.#drop(id)).length > 0;
      for (const row of data.rows) moved = this.#put(row, this.reading && !wasEmpty) || moved;
      if (moved || data.whole) this.arrange();
      if (data.selection) this.select(data.selection.map(([id, index]) => `${id}:${index}`));
    });
  }

  /** Rows of the past: they are never held back. */
  add(rows: RowData[]): void {
    for (const row of rows) this.#put(row, false);
    this.arrange();
  }

  /** Everything has been read: whatever was not among it is gone. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const id of [...this.#rows.keys()]) if (!ids.has(id)) this.#drop(id);
    this.complete.value = true;
    this.arrange();
  }

  get oldest(): Row | undefined {
    return [...this.#rows.values()].sort(newestFirst).at(-1);
  }

  setFilter(text: string): void {
    this.filter.value = text;
    try {
      this.#expression = parseFilter(text);
      this.filterError.value = null;
      this.arrange();
    } catch (error) {
      this.filterError.value = error as FilterError; // what was shown stays
    }
  }

  get expression(): Expression | null {
    return this.#expression;
  }

  /** Every tile, shown or not. */
  everything(): Item[] {
    return [...this.#tiles.values()].flat();
  }

  /** Show what was held back. */
  release(): void {
    if (this.#held.size === 0) return;
    this.#held.clear();
    this.arrange();
  }

  /** Filter and order everything anew. */
  arrange(): void {
    const rows = [...this.#rows.values()].sort(newestFirst);
    if (this.sort.peek() === "oldest") rows.reverse();
    const only = this.only.peek();
    const tiles = rows.flatMap((row) => this.#tiles.get(row.id)!);
    const items = tiles.filter(
      (item) => !this.#held.has(item.key) && (only === "any" || item.state === only) && matches(this.#expression, item),
    );
    const order = ORDERS[this.sort.peek()];
    items.sort(order);
    this.#places = new Map(items.map((item, place) => [item.key, place]));
    const open = rows.filter(({ status }) => status === "pending" || status === "running").sort((a, b) => -newestFirst(a, b));
    this.#ahead = new Map(open.map((row, place) => [row.id, place]));
    const timed = rows.filter((row) => row.status === "complete" && row.time).slice(0, 5);
    this.#typical = timed.reduce((sum, row) => sum + row.time!, 0) / (timed.length || 1);
    const running = open.filter((row) => this.#tiles.get(row.id)![0]!.state === "running").length;
    batch(() => {
      this.items.value = items;
      this.held.value = this.#held.size;
      this.differs.value = differing(items);
      const failed = rows.filter(({ status }) => status === "failed").length;
      this.counts.value = { all: tiles.length, running, queued: open.length - running, failed };
      const kept = [...this.selection.peek()].filter((key) => this.find(key));
      if (kept.length < this.selection.peek().size) this.selection.value = new Set(kept);
    });
  }

  find(key: string): Item | undefined {
    const end = key.lastIndexOf(":");
    return this.#tiles.get(key.slice(0, end))?.find((item) => item.key === key);
  }

  /** Its place among those shown, or -1. */
  place(key: string): number {
    return this.#places.get(key) ?? -1;
  }

  /** How many generations are made before this one. */
  ahead(item: Item): number {
    return this.#ahead.get(item.row.id) ?? 0;
  }

  /** Seconds that a generation will still take, as far as the last ones tell; 0 where they do not. */
  secondsLeft(item: Item): number {
    return this.#typical * (1 - item.row.progress);
  }

  get secondsOpen(): number {
    const { running, queued } = this.counts.value;
    return this.#typical * (running / 2 + queued);
  }

  // -- selection ---------------------------------------------------------------------------------------------------

  select(keys: Iterable<string>): void {
    this.selection.value = new Set([...keys].filter((key) => this.find(key)));
  }

  toggle(key: string): void {
    const next = new Set(this.selection.peek());
    if (!next.delete(key)) next.add(key);
    this.selection.value = next;
    this.#anchor = key;
  }

  /** Everything between the last one chosen and this one. */
  extend(key: string): void {
    const items = this.items.peek();
    const from = Math.max(0, this.place(this.#anchor || this.at.peek()));
    const to = this.place(key);
    if (to < 0) return;
    this.#anchor = items[from]!.key;
    const range = items.slice(Math.min(from, to), Math.max(from, to) + 1).map((item) => item.key);
    this.selection.value = new Set(from > to ? range.reverse() : range);
  }

  moveTo(key: string): void {
    this.at.value = key;
    this.#anchor = key;
  }

  get chosen(): Item[] {
    return [...this.selection.value].flatMap((key) => this.find(key) ?? []);
  }

  /** What a key acts on: the selection where the tile of the keyboard is part of it, else that tile. */
  get targets(): Item[] {
    const at = this.find(this.at.peek());
    return at && !this.selection.peek().has(at.key) ? [at] : this.chosen;
  }

  /** Rate at once; the kernel confirms it. Returns how to take it back. */
  rate(items: readonly Item[], rating: number | null): () => void {
    const before = items.map((item) => [item, item.rating] as const);
    const set = (item: Item, value: number | undefined): void => {
      if (item.output) item.output.rating = value;
      else item.row.rating = value;
      this.#renew(item.row);
    };
    for (const item of items) set(item, rating ?? undefined);
    return () => before.forEach(([item, value]) => set(item, value));
  }

  // -- rows --------------------------------------------------------------------------------------------------------

  /** Take a row over. Says whether the order has to be made anew. */
  #put(data: RowData, hold: boolean): boolean {
    const before = this.#tiles.get(data.id);
    const row = new Row(data, this.#texts);
    const tiles = itemsOf(row);
    this.#rows.set(row.id, row);
    this.#tiles.set(row.id, tiles);
    if (hold) {
      const known = new Set(before?.map((item) => item.key));
      for (const { key } of tiles) if (!known.has(key)) this.#held.add(key);
    }
    if (!before) return true;
    for (const item of tiles) if (item.state !== before[0]!.state) this.onChange(item);
    if (before.length !== tiles.length || before[0]!.state !== tiles[0]!.state) return true;
    this.#patch(tiles);
    return false;
  }

  /** The same row with other facts, in the same places. */
  #renew(row: Row): void {
    const tiles = itemsOf(row);
    this.#tiles.set(row.id, tiles);
    this.#patch(tiles);
  }

  #patch(tiles: Item[]): void {
    const places = tiles.flatMap((item) => this.#places.get(item.key) ?? []);
    if (places.length === 0) return;
    const items = this.items.peek().slice();
    for (const item of tiles) {
      const place = this.#places.get(item.key);
      if (place !== undefined) items[place] = item;
    }
    this.items.value = items;
  }

  #drop(id: string): boolean {
    for (const { key } of this.#tiles.get(id) ?? []) this.#held.delete(key);
    this.#tiles.delete(id);
    return this.#rows.delete(id);
  }
}
