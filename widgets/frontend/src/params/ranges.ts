import type { FieldRow } from "./state";

/** What a slider covers. The box beside it takes all that ComfyUI takes. */
export interface Range {
  min: number;
  max: number;
  step: number;
}

/** Where people look for a value, by role; ComfyUI's own limits are 10,000 steps, cfg 100 and 4,096 images. */
const USUAL: Record<string, Range> = {
  steps: { min: 1, max: 60, step: 1 },
  cfg_scale: { min: 1, max: 20, step: 0.5 },
  guidance: { min: 0, max: 10, step: 0.1 },
  denoise: { min: 0, max: 1, step: 0.01 },
  batch_size: { min: 1, max: 16, step: 1 },
  length: { min: 1, max: 257, step: 4 },
};
const STRENGTH: Range = { min: -2, max: 2, step: 0.05 };
/** More stops than a slider of 300 px can tell apart. */
const MANY_STOPS = 300;

/**
 * The range of a field's slider, or null where a slider is no help: text-like numbers, and those without both limits.
 *
 * In this order: ComfyUI's own where the node asks for a slider; the usual one of its role, or of a strength or weight;
 * ComfyUI's where it has at most 300 stops; else from 0 (or below, as far as above) to a round number of at least four
 * times the default. Always within ComfyUI's limits.
 */
export function softRange(field: FieldRow): Range | null {
  const min = asNumber(field.min);
  const max = asNumber(field.max);
  const byDefault = asNumber(field.default) ?? 0;
  if (field.kind !== "number" || min === null || max === null || min >= max) return null;
  const step = stepOf(field, max - min);
  if (field.display === "slider") return { min, max, step };
  const usual = USUAL[/guidance/i.test(field.label) ? "guidance" : field.key] ?? (/strength|weight/i.test(field.key) ? STRENGTH : undefined);
  const wanted = usual ?? ((max - min) / step <= MANY_STOPS ? { min, max, step } : around(byDefault, min, step));
  const range = { ...wanted, min: Math.max(min, wanted.min), max: Math.min(max, wanted.max) };
  return range.min < range.max ? range : { min, max, step };
}

function around(value: number, min: number, step: number): Range {
  const most = roundUp(Math.max(4 * Math.abs(value), 20 * step));
  return { min: min < 0 ? -most : 0, max: most, step };
}

/** The next of 1, 2, 5, 10, 20, 50, ... */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= value * (1 - 1e-9))!;
}

/** One step of a field: ComfyUI's own, or one that its range suggests. */
export function stepOf(field: FieldRow, span = Infinity): number {
  return field.step ? field.step : field.integer ? 1 : span <= 2 ? 0.01 : 0.1;
}

/** A value moved by whole steps, within the limits, without the noise of binary fractions. */
export function moved(value: number, by: number, step: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, Number((value + by * step).toFixed(decimals(step) + 2))));
}

export function decimals(step: number): number {
  const [, fraction = ""] = String(step).split(".");
  return String(step).includes("e-") ? 6 : Math.min(fraction.length, 6);
}

/** A number as its box shows it: as many decimals as a step has, and more where the value has them. */
export function written(value: unknown, field: FieldRow): string {
  const number = asNumber(value);
  if (number === null || field.integer) return value === null || value === undefined ? "" : String(value);
  const fixed = number.toFixed(Math.max(1, Math.min(decimals(stepOf(field)), 2)));
  return Number(fixed) === number ? fixed : String(number);
}

/** A number that JavaScript holds exactly, from the wire or as typed; null for anything else. */
export function asNumber(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value !== "string" || value.trim() === "") return null;
  const number = Number(value.replace(",", ".").replace("−", "-"));
  return Number.isFinite(number) && Math.abs(number) <= Number.MAX_SAFE_INTEGER ? number : null;
}
