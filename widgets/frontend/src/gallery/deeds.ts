import { signal } from "@preact/signals";
import type { Rpc } from "../core/rpc";
import { download, type Originals } from "./originals";
import type { Item } from "./items";
import type { GalleryState, Ref } from "./state";

const SELECT_MS = 60;
const MOST_DOWNLOADS = 20;
const ids = (items: readonly Item[]): string[] => [...new Set(items.map(({ row }) => row.id))];
const refs = (items: readonly Item[]): Ref[] => items.map(({ row, index }) => [row.id, index]);

/** Everything that the pane asks the kernel to do, with what became of it. */
export class Deeds {
  /** What the kernel said no to. */
  readonly refused = signal("");
  /** What was done, in words: it is shown for a while and spoken. */
  readonly said = signal("");
  /** What shall be deleted, while the user is asked. */
  readonly doomed = signal<readonly Item[]>([]);
  #silence: ReturnType<typeof setTimeout> | undefined;
  #telling: ReturnType<typeof setTimeout> | undefined;
  #told = "";

  constructor(
    private readonly rpc: Rpc,
    private readonly state: GalleryState,
    private readonly originals: Originals,
  ) {}

  async rate(items: readonly Item[], rating: number | null): Promise<void> {
    if (items.length === 0) return;
    const undo = this.state.rate(items, rating);
    const what = rating === null ? "Rating cleared" : rating === 0 ? "Rejected" : `Rated ${rating}`;
    this.say(items.length === 1 ? what : `${what}: ${items.length} images`);
    if (!(await this.#ask("rate", { refs: refs(items), rating }))) undo();
  }

  async retry(items: readonly Item[]): Promise<void> {
    const failed = items.filter(({ row }) => row.status === "failed");
    if (failed.length > 0 && (await this.#ask("again", { ids: ids(failed) }))) this.say("Asked for again");
  }

  async vary(item: Item): Promise<void> {
    if (await this.#ask("again", { ids: [item.row.id], vary: true })) this.say("Another seed is on its way");
  }

  async cancel(items: readonly Item[]): Promise<void> {
    const open = items.filter((item) => item.open);
    if (open.length > 0 && (await this.#ask("cancel", { ids: ids(open) }))) this.say("Cancelled");
  }

  /** Cancels what runs; asks before it deletes the rest. */
  async remove(items: readonly Item[]): Promise<void> {
    await this.cancel(items);
    this.doomed.value = items.filter((item) => !item.open);
  }

  async removeDoomed(): Promise<void> {
    const items = this.doomed.peek();
    this.doomed.value = [];
    if (await this.#ask("delete", { ids: ids(items) })) this.say("Deleted");
  }

  async reuse(item: Item | undefined): Promise<void> {
    if (!item) return;
    const answer = await this.#ask<{ takers: number }>("reuse", { id: item.row.id });
    if (answer) this.say(answer.takers > 0 ? "Parameters handed over" : "Nobody takes parameters here yet: params.take(gallery.selected[0])");
  }

  async save(items: readonly Item[]): Promise<void> {
    for (const item of items.filter(({ output }) => output?.file).slice(0, MOST_DOWNLOADS)) {
      try {
        const { blob, name } = await this.originals.get(item);
        download(blob, name);
      } catch (error) {
        this.refused.value = (error as Error).message;
        return;
      }
    }
  }

  async snapshot(): Promise<void> {
    if (await this.#ask("snapshot", {})) this.say("Contact sheet saved with the notebook");
  }

  /** Tell Python of the selection, once it has settled. */
  tellSelection(): void {
    clearTimeout(this.#telling);
    this.#telling = setTimeout(() => {
      const chosen = refs(this.state.chosen);
      const told = JSON.stringify(chosen);
      if (told !== this.#told) void this.#ask("select", { refs: chosen });
      this.#told = told;
    }, SELECT_MS);
  }

  say(words: string): void {
    this.said.value = words;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => (this.said.value = ""), 4000);
  }

  dispose(): void {
    clearTimeout(this.#silence);
    clearTimeout(this.#telling);
  }

  async #ask<T = true>(op: string, args: Record<string, unknown>): Promise<T | false> {
    this.refused.value = "";
    try {
      return ((await this.rpc.call<T>(op, args)) ?? true) as T;
    } catch (error) {
      this.refused.value = (error as Error).message;
      return false;
    }
  }
}
