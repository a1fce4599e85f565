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

/** Of every thumbnail. */
const TYPE = "image/webp";
const NONE: Face = { url: "" };
export const KEPT = 400;
export const BATCH = 60;
/** Batches at a time. Each costs the page and the kernel a few messages; one may wait for a slow file. */
const AT_ONCE = 2;
/** As many arguments as any browser's functions take. */
const PIECE = 8_192;

/**
 * Thumbnails by key, asked for in batches, two at a time, for the tiles that are in view at that moment. The last
 * `KEPT` are kept. Their addresses are `data:`: a `blob:` costs the page two calls of the browser's other process, 2 ms
 * for each picture, and has to be given back.
 */
export class Faces {
  #faces = new Map<string, Signal<Face>>();
  #wanted = new Map<string, Item>();
  #asked = new Set<string>();
  /** What they show is of an earlier state. */
  #stale = new Set<string>();
  #frame = 0;
  /** Batches on their way. */
  #asking = 0;
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

  /** A thumbnail that came unasked. */
  put(key: string, bytes: DataView): void {
    const face = { url: addressOf(bytes, TYPE) };
    const known = this.#faces.get(key);
    if (known) known.value = face;
    else this.#faces.set(key, signal(face));
  }

  /** A picture that is still being made; the last one stays until it is replaced. */
  preview(key: string, type: string, bytes: DataView): void {
    const face = this.#faces.get(key);
    if (!face) return;
    face.value = { url: addressOf(bytes, type) };
  }

  dispose(): void {
    this.#gone = true;
    cancelAnimationFrame(this.#frame);
    this.#faces.clear();
  }

  get size(): number {
    return this.#faces.size;
  }

  #want(item: Item): void {
    this.#wanted.set(item.key, item);
    this.#askSoon();
  }

  #askSoon(): void {
    if (!this.#frame && this.#asking < AT_ONCE && !this.#gone) this.#frame = requestAnimationFrame(() => void this.#ask());
  }

  async #ask(): Promise<void> {
    this.#frame = 0;
    const items = [...this.#wanted.values()].filter(({ key }) => this.inView(key)).slice(0, BATCH);
    for (const { key } of items) {
      this.#wanted.delete(key);
      this.#asked.add(key);
    }
    for (const key of [...this.#wanted.keys()]) if (!this.inView(key)) this.#wanted.delete(key);
    if (items.length === 0) return;
    this.#asking++;
    try {
      const refs = items.map(({ row, index }) => [row.id, index]);
      const { data, buffers } = await this.rpc.ask<Told[]>("faces", { refs });
      if (!this.#gone) items.forEach((item, place) => this.#take(item, data[place]!, buffers));
    } catch {
      for (const { key } of items) this.#asked.delete(key); // deleted in this moment, or the pane is: a look asks again
    }
    this.#asking--;
    if (this.#wanted.size > 0) this.#askSoon();
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
    else face.value = { url: addressOf(buffers[told.thumb]!, TYPE) };
  }

  #forget(): void {
    for (const key of this.#faces.keys()) {
      if (this.#faces.size <= KEPT) return;
      if (this.inView(key)) continue;
      this.#faces.delete(key);
    }
  }
}

/** Whether the kernel can say more than the row does. */
function isWorthAsking({ row, output }: Item): boolean {
  return row.status === "failed" ? !row.error : row.status === "complete" && (output?.thumb ?? false);
}

function addressOf({ buffer, byteOffset, byteLength }: DataView, type: string): string {
  let text = "";
  for (let at = 0; at < byteLength; at += PIECE) text += String.fromCharCode(...new Uint8Array(buffer, byteOffset + at, Math.min(PIECE, byteLength - at)));
  return `data:${type};base64,${btoa(text)}`;
}
