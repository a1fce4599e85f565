/** Captions say only what differs among the tiles that are shown. */
import type { Item } from "./items";

interface Part {
  name: string;
  /** As it stands in a caption, and as it is spoken. */
  text(item: Item): string | undefined;
  spoken(text: string): string;
}

const plain = (name: string, text: Part["text"], spoken = (value: string) => `${name} ${value}`): Part => ({ name, text, spoken });
const PARTS: Part[] = [
  plain("seed", (item) => item.row.seed?.toString()),
  plain("cfg", (item) => (item.row.cfg_scale === undefined ? undefined : `cfg ${trim(item.row.cfg_scale)}`), (text) => text),
  plain("steps", (item) => (item.row.steps === undefined ? undefined : `${item.row.steps} steps`), (text) => text),
  plain("sampler", (item) => item.row.sampler_name),
  plain("scheduler", (item) => item.row.scheduler),
  plain("size", (item) => (item.row.width && item.row.height ? `${item.row.width} × ${item.row.height}` : undefined)),
  plain("checkpoint", (item) => item.row.checkpoint_name?.replace(/\.(safetensors|ckpt|gguf)$/, "")),
  plain("prompt", (item) => item.row.prompt || undefined),
];

/** Which parts differ, the first ones first; the prompt only where nothing else does. */
export function differing(items: readonly Item[]): string[] {
  const first = items[0];
  if (!first) return [];
  const found = PARTS.filter(({ text }) => {
    const one = text(first);
    return items.some((item) => text(item) !== one);
  }).map(({ name }) => name);
  return found.length > 1 ? found.filter((name) => name !== "prompt") : found;
}

/** A tile's caption of the named parts, `most` of them at most; its seed where none differs. */
export function caption(item: Item, names: readonly string[], most: number): string {
  const shown = names.slice(0, most);
  const parts = PARTS.filter(({ name }) => (shown.length > 0 ? shown : ["seed"]).includes(name));
  return parts.flatMap(({ text }) => text(item) ?? []).join(", ");
}

/** The same for a screen reader, all of it. */
export function spoken(item: Item, names: readonly string[]): string {
  return PARTS.filter(({ name }) => names.includes(name) || name === "seed")
    .flatMap(({ text, spoken: say }) => {
      const value = text(item);
      return value === undefined ? [] : [say(value)];
    })
    .join(", ");
}

/** `seed and cfg`; `seed, cfg and 2 more`. */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  const shown = names.length > 3 ? [...names.slice(0, 2), `${names.length - 2} more`] : names;
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

export function trim(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
