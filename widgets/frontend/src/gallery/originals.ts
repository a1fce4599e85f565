import type { Rpc } from "../core/rpc";
import type { Item } from "./items";

export interface Original {
  url: string;
  name: string;
  type: string;
  blob: Blob;
}

interface Piece {
  size: number;
  type: string;
  name: string;
}

const KEPT = 6;
const AT_ONCE = 2;
/** What the page plays or draws; anything else is only downloaded. The kernel's word for it comes from the file's bytes. */
const SAFE = /^(image\/(png|jpeg|webp|gif)|video\/(mp4|webm)|audio\/[\w.-]+)$/;

/** Files whole, fetched in pieces; the last few are kept. */
export class Originals {
  #kept = new Map<string, Promise<Original>>();

  constructor(private readonly rpc: Rpc) {}

  /** The file of a tile. `onProgress` hears how much of it has come, 0 to 1. */
  get(item: Item, onProgress: (share: number) => void = () => {}): Promise<Original> {
    const known = this.#kept.get(item.key) ?? this.#fetch(item, onProgress);
    this.#kept.delete(item.key);
    this.#kept.set(item.key, known);
    known.catch(() => this.#kept.delete(item.key)); // the next one tries again
    for (const [key, old] of this.#kept) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(key);
      void revoke(old);
    }
    return known;
  }

  dispose(): void {
    this.#kept.forEach((file) => void revoke(file));
    this.#kept.clear();
  }

  async #fetch({ row, index }: Item, onProgress: (share: number) => void): Promise<Original> {
    const ask = (offset: number) => this.rpc.ask<Piece>("original", { id: row.id, index, offset });
    const first = await ask(0);
    const { size, type, name } = first.data;
    const step = first.buffers[0]!.byteLength;
    const pieces = [first.buffers[0]!];
    let next = step;
    let come = step;
    const rest = async (): Promise<void> => {
      while (next < size) {
        const offset = next;
        next += step;
        const { buffers } = await ask(offset);
        pieces[offset / step] = buffers[0]!;
        onProgress((come += buffers[0]!.byteLength) / size);
      }
    };
    if (step > 0) await Promise.all(Array.from({ length: AT_ONCE }, rest));
    const blob = new Blob(pieces as DataView<ArrayBuffer>[], { type: SAFE.test(type) ? type : "application/octet-stream" });
    return { url: URL.createObjectURL(blob), name, type, blob };
  }
}

async function revoke(file: Promise<Original>): Promise<void> {
  URL.revokeObjectURL((await file.catch(() => ({ url: "" }))).url);
}

/** Hand a file to the user. */
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
