import { signal, type Signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";

const KEPT = 400;
const BATCH = 60;

/** Thumbnails by the id of their generation: asked for in batches, once a frame. The last `KEPT` stay. */
export class CellFaces {
  #faces = new Map<string, Signal<string>>();
  #wanted = new Set<string>();
  #frame = 0;
  #gone = false;

  constructor(private readonly rpc: Rpc) {}

  /** The address of a picture; empty until it is there, and where there is none. */
  of(id: string): Signal<string> {
    const known = this.#faces.get(id);
    const face = known ?? signal("");
    this.#faces.delete(id); // the newest use is the last entry
    this.#faces.set(id, face);
    if (!known) {
      this.#wanted.add(id);
      this.#frame ||= requestAnimationFrame(() => void this.#fetch());
      this.#forget();
    }
    return face;
  }

  async #fetch(): Promise<void> {
    this.#frame = 0;
    const ids = [...this.#wanted].slice(-BATCH); // what was seen last is in view
    if (ids.length === 0 || this.#gone) return;
    for (const id of ids) this.#wanted.delete(id);
    try {
      const { data, buffers } = await this.rpc.ask<{ thumb?: number; later?: boolean }[]>("faces", { ids });
      if (this.#gone) return;
      data.forEach(({ thumb, later }, place) => {
        const id = ids[place]!;
        const bytes = thumb === undefined ? undefined : buffers[thumb];
        const face = this.#faces.get(id);
        if (later) this.#wanted.add(id);
        else if (bytes && face) face.value = URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>]));
      });
    } catch {
      for (const id of ids) this.#faces.delete(id); // asked again when it is next drawn
    }
    if (this.#wanted.size > 0) this.#frame ||= requestAnimationFrame(() => void this.#fetch());
  }

  #forget(): void {
    for (const [id, face] of this.#faces) {
      if (this.#faces.size <= KEPT) break;
      this.#faces.delete(id);
      if (face.peek()) URL.revokeObjectURL(face.peek());
    }
  }

  dispose(): void {
    this.#gone = true;
    cancelAnimationFrame(this.#frame);
    for (const face of this.#faces.values()) if (face.peek()) URL.revokeObjectURL(face.peek());
  }
}
