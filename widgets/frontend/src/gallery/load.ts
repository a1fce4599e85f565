import type { Rpc } from "../core/rpc";
import type { RowData } from "./items";
import type { GalleryState } from "./state";

interface Page {
  rows: RowData[];
  more: boolean;
}

/** Read the rows of the past, page by page, after those that came with the first answer. A newer call ends this one. */
export class Loader {
  #round = 0;

  constructor(
    private readonly rpc: Rpc,
    private readonly state: GalleryState,
  ) {}

  async load(first: readonly RowData[]): Promise<void> {
    const round = ++this.#round;
    const ids = new Set(first.map(({ id }) => id));
    let last: Pick<RowData, "created" | "id"> | undefined = first.at(-1);
    let more = last !== undefined;
    while (more && last) {
      const page: Page = await this.rpc.call<Page>("rows", { created: last.created, id: last.id });
      if (round !== this.#round) return;
      this.state.add(page.rows);
      for (const { id } of page.rows) ids.add(id);
      last = page.rows.at(-1) ?? last;
      more = page.more;
    }
    this.state.keepOnly(ids);
  }

  stop(): void {
    this.#round++;
  }
}
