/** A generation's values as rows of a table: for one, and for two beside each other. */
import { trim } from "./captions";
import type { Generation } from "../core/types";

export type Value = [name: string, text: string];

/** Everything worth telling, in the order of the lightbox. Seeds are exact: the kernel writes large ones as text. */
export function valuesOf(generation: Generation): Value[] {
  const { width, height, parameters } = generation;
  const rows: [string, unknown][] = [
    ["Seed", generation.seed],
    ["Steps", generation.steps],
    ["Cfg scale", generation.cfg_scale],
    ["Sampler", generation.sampler_name],
    ["Scheduler", generation.scheduler],
    ["Size", width && height ? `${width} × ${height}` : null],
    ["Batch", generation.batch_size && generation.batch_size > 1 ? generation.batch_size : null],
    ["Checkpoint", generation.checkpoint_name],
    ...(generation.loras_used ?? []).map((lora): [string, unknown] => ["LoRA", loraText(lora)]),
    ...Object.entries((parameters ?? {}) as Record<string, unknown>).filter(([name]) => name === "denoise" || name.includes(".")),
  ];
  return rows.flatMap(([name, value]): Value[] => (value === null || value === undefined ? [] : [[name, text(value)]]));
}

/** The names of what differs between two, and how many values are equal. */
export function compared(one: Generation, other: Generation): { rows: [string, string, string][]; equal: number; seed: string } {
  const a = new Map([...valuesOf(one), ...measured(one)]);
  const b = new Map([...valuesOf(other), ...measured(other)]);
  const names = [...new Set([...a.keys(), ...b.keys()])];
  const rows = names.filter((name) => a.get(name) !== b.get(name)).map((name): [string, string, string] => [name, a.get(name) ?? "none", b.get(name) ?? "none"]);
  const seed = a.get("Seed") === b.get("Seed") ? (a.get("Seed") ?? "") : "";
  return { rows, equal: names.length - rows.length, seed };
}

function measured({ rating, generation_time_seconds: time }: Generation): Value[] {
  return [...(rating === null || rating === undefined ? [] : [["Rating", rating === 0 ? "rejected" : String(rating)] as Value]), ...(time ? [["Duration", `${trim(time)} s`] as Value] : [])];
}

function text(value: unknown): string {
  if (typeof value === "number") return trim(value);
  return typeof value === "string" ? value : JSON.stringify(value);
}

function loraText(lora: unknown): string {
  if (typeof lora !== "object" || lora === null) return String(lora);
  const facts = lora as Record<string, unknown>;
  const name = facts.name ?? facts.lora_name ?? "";
  const strength = facts.strength ?? facts.strength_model;
  return typeof strength === "number" ? `${String(name)} ${strength.toFixed(2)}` : String(name);
}

/** `14 Nov 2026 16:02` */
export function moment(iso: string | number): string {
  const date = new Date(iso);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  return `${day} ${date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
}
