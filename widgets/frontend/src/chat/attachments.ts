import { computed, signal, type Signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";
import type { Attachment } from "../core/types";

export const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
/** As the kernel's limits, so that a refusal comes before the upload. */
export const MAX_BYTES = 50 * 1024 * 1024;
export const MAX_COUNT = 20;

export interface Item {
  name: string;
  /** A `blob:` address of the file itself. */
  url: string;
  /** Percent of the upload. */
  progress: Signal<number>;
  error: Signal<string>;
  /** The kernel's path, once it is kept. */
  content: Signal<string | null>;
}

/** The pictures that go with the next question: uploaded at once, so that sending never waits for them. */
export class Attachments {
  readonly items = signal<Item[]>([]);
  /** What could not be attached, and why. */
  readonly refused = signal("");
  readonly paths = computed(() => this.items.value.flatMap((item) => item.content.value ?? []));
  /** Every one is there: nothing is on its way, nothing failed. */
  readonly ready = computed(() => this.items.value.every((item) => item.content.value !== null));

  constructor(private readonly rpc: Rpc) {}

  add(files: Iterable<File>): void {
    this.refused.value = "";
    for (const file of files) {
      const problem = this.#problem(file);
      if (problem) this.refused.value = problem;
      else void this.#upload(file);
    }
  }

  remove(item: Item): void {
    URL.revokeObjectURL(item.url);
    this.items.value = this.items.value.filter((one) => one !== item);
  }

  clear(): void {
    for (const item of this.items.peek()) URL.revokeObjectURL(item.url);
    this.items.value = [];
    this.refused.value = "";
  }

  #problem(file: File): string {
    if (!PICTURES.includes(file.type)) return `${file.name} is no picture: png, jpeg, webp and gif can go along.`;
    if (file.size > MAX_BYTES) return `${file.name} has ${megabytes(file.size)} MB: a picture may have ${megabytes(MAX_BYTES)} MB at most.`;
    if (this.items.peek().length >= MAX_COUNT) return `A question takes ${MAX_COUNT} pictures at most.`;
    return "";
  }

  async #upload(file: File): Promise<void> {
    const item: Item = { name: file.name, url: URL.createObjectURL(file), progress: signal(0), error: signal(""), content: signal(null) };
    this.items.value = [...this.items.peek(), item];
    try {
      const upload = await this.rpc.upload(await file.arrayBuffer(), (share) => (item.progress.value = Math.round(share * 100)));
      const kept = await this.rpc.call<Attachment>("attach", { upload, filename: file.name });
      item.content.value = kept.content;
    } catch (error) {
      item.error.value = (error as Error).message;
    }
  }
}

const megabytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);
