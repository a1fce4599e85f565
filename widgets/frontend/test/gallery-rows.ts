import type { OutputRow, RowData } from "../src/gallery/items";
import { itemsOf, Row, Texts, type Item } from "../src/gallery/items";

export const picture = (facts: Partial<OutputRow> = {}): OutputRow => ({ kind: "image", thumb: true, file: true, ...facts });

/** A finished generation of one picture. The higher its number, the newer it is. */
export function row(number: number, facts: Partial<RowData> = {}): RowData {
  return {
    id: `g${number}`,
    status: "complete",
    created: 1_000_000 + number * 1000,
    prompt: "a lighthouse in fog",
    seed: String(4100 + number),
    cfg_scale: 7,
    steps: 25,
    sampler_name: "euler",
    outputs: [picture()],
    ...facts,
  };
}

export const rows = (count: number): RowData[] => Array.from({ length: count }, (_, index) => row(count - index));

export function item(facts: Partial<RowData> = {}): Item {
  return itemsOf(new Row(row(1, facts), new Texts()))[0]!;
}
