import { signal, type Signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";
import type { Item } from "./items";

/** What a tile shows: the address of a thumbnail, or what stands in its place. */
export interface Face {
  url: string;
  /** There is nothing to show. */
  gone?: boolean;
  /** Why the generation failed. */
  error?: string;
}

interface Told {
  thumb?: number;
  gone?: boolean;
  later?: boolean;
  error?: string;
}

const NONE: Face = { url: "" };
export const KEPT = 400;
export const BATCH = 60;

/**
 * Thumbnails by key, asked for in batches once a frame, for the tiles that are in view at that moment. The last `KEPT`
 * are kept; older ones are given back to the browser.
 */
export class Faces {
  #faces = new Map<string, Signal<Face>>();
  #wanted = new Map<string, Item>();
  #asked = new Set<string>();
  /** What they show is of an earlier state. */
  #stale = new Set<string>();
  #frame = 0;
  #gone = false;

  constructor(
    private readonly rpc: Rpc,
    private readonly inView: (key: string) => boolean,
  ) {}

  /** The face of a tile; asks for it unless it is there. */
  of(item: Item): Signal<Face> {
    const known = this.#faces.get(item.key);
    const face = known ?? signal(NONE);
    this.#faces.delete(item.key); // the newest use is the last entry
    this.#faces.set(item.key, face);
    if ((face.peek() === NONE || this.#stale.has(item.key)) && isWorthAsking(item) && !this.#asked.has(item.key)) this.#want(item);
    if (!known) this.#forget();
    return face;
  }

  /** Its generation has changed: what is shown stays until the new face is there. */
  renew(item: Item): void {
    if (!this.#faces.has(item.key)) return;
    this.#stale.add(item.key);
    if (isWorthAsking(item)) this.#want(item);
  }

  /** A picture that is still being made; the last one stays until it is replaced. */
  preview(key: string, type: string, bytes: DataView): void {
    const face = this.#faces.get(key);
    if (!face) return;
    const old = face.peek().url;
    face.value = { url: URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>], { type })) };
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000); // not before the new one is decoded
  }

  dispose(): void {
    this.#gone = true;
    cancelAnimationFrame(this.#frame);
    this.#faces.forEach(release);
    this.#faces.clear();
  }

  get size(): number {
    return this.#faces.size;
  }

  #want(item: Item): void {
    this.#wanted.set(item.key, item);
    if (!this.#frame) this.#frame = requestAnimationFrame(() => void this.#ask());
  }

  async #ask(): Promise<void> {
    this.#frame = 0;
    const items = [...this.#wanted.values()].filter(({ key }) => this.inView(key)).slice(0, BATCH);
    for (const { key } of items) {
      this.#wanted.delete(key);
      this.#asked.add(key);
    }
    for (const key of [...this.#wanted.keys()]) if (!this.inView(key)) this.#wanted.delete(key);
    if (this.#wanted.size > 0) this.#frame = requestAnimationFrame(() => void this.#ask());
    if (items.length === 0) return;
    try {
      const refs = items.map(({ row, index }) => [row.id, index]);
      const { data, buffers } = await this.rpc.ask<Told[]>("faces", { refs });
      if (!this.#gone) items.forEach((item, place) => this.#take(item, data[place]!, buffers));
    } catch {
      for (const { key } of items) this.#asked.delete(key); // deleted in this moment, or the pane is: a look asks again
    }
  }

  #take(item: Item, told: Told, buffers: DataView[]): void {
    this.#asked.delete(item.key);
    const face = this.#faces.get(item.key);
    if (!face) return;
    if (told.later) {
      this.#want(item);
      return;
    }
    this.#stale.delete(item.key);
    if (told.thumb === undefined) face.value = { url: "", gone: told.gone ?? false, error: told.error ?? "" };
    else {
      release(face);
      const bytes = buffers[told.thumb] as DataView<ArrayBuffer>;
      face.value = { url: URL.createObjectURL(new Blob([bytes], { type: "image/webp" })) };
    }
  }

  #forget(): void {
    for (const [key, face] of this.#faces) {
      if (this.#faces.size <= KEPT) return;
      if (this.inView(key)) continue;
      release(face);
      this.#faces.delete(key);
    }
  }
}

/** Whether the kernel can say more than the row does. */
function isWorthAsking({ row, output }: Item): boolean {
  return row.status === "failed" ? !row.error : row.status === "complete" && (output?.thumb ?? false);
}

function release(face: Signal<Face>): void {
  const { url } = face.peek();
  face.value = NONE;
  if (url) URL.revokeObjectURL(url);
}
