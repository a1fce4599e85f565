/** What a tree needs to know of a turn. */
export interface Leafy {
  id: string;
  parent: string | null;
}

/** A conversation's turns as a tree. Immutable; turns of one parent are alternatives, in the order they were given. */
export class Branches<T extends Leafy> {
  #byId: Map<string, T>;
  #below = new Map<string | null, T[]>();

  constructor(readonly all: readonly T[]) {
    this.#byId = new Map(all.map((turn) => [turn.id, turn]));
    for (const turn of all) this.#below.set(turn.parent, [...(this.#below.get(turn.parent) ?? []), turn]);
  }

  get(id: string): T | undefined {
    return this.#byId.get(id);
  }

  /** The turns right below one; null: the beginnings. */
  below(id: string | null): T[] {
    return this.#below.get(id) ?? [];
  }

  /** A turn with those it can be switched for. */
  alternatives(turn: T): T[] {
    return this.below(turn.parent);
  }

  /** From the beginning to a turn. */
  path(end: string | null): T[] {
    const found: T[] = [];
    for (let turn = this.#byId.get(end ?? ""); turn; turn = this.#byId.get(turn.parent ?? "")) found.push(turn);
    return found.reverse();
  }

  /** How many turns go when this one is deleted: itself and all below it. */
  weight(id: string): number {
    return this.below(id).reduce((sum, turn) => sum + this.weight(turn.id), 1);
  }

  /** The alternative before (-1) or after (1) a turn; none at the ends. */
  beside(turn: T, step: number): T | undefined {
    const all = this.alternatives(turn);
    return all[all.indexOf(turn) + step];
  }

  /** The last turn of a path that has alternatives. */
  lastFork(path: readonly T[]): T | undefined {
    return path.findLast((turn) => this.alternatives(turn).length > 1);
  }
}
