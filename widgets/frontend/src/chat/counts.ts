import type { Facts } from "./state";

/** The numbers of one answer; null where they are not known (never guessed). */
export interface Counts {
  firstTokenS: number | null;
  totalS: number | null;
  tokens: number | null;
  /** Tokens a second, from the first one on. */
  speed: number | null;
  cost: number | null;
}

export function counts({ first_token_ms: first, duration_ms: total, usage, cost_usd: cost }: Facts): Counts {
  const tokens = usage.completion_tokens;
  const span = first !== null && total !== null ? (total - first) / 1000 : 0;
  return {
    firstTokenS: first === null ? null : first / 1000,
    totalS: total === null ? null : total / 1000,
    tokens,
    speed: tokens && tokens > 1 && span > 0 ? (tokens - 1) / span : null,
    cost,
  };
}

export const seconds = (value: number | null): string | null =>
  value === null ? null : `${value < 10 ? value.toFixed(2) : value.toFixed(1)} s`;
export const whole = (value: number | null): string | null => (value === null ? null : value.toLocaleString("en"));
export const speed = (value: number | null): string | null => (value === null ? null : `${value < 10 ? value.toFixed(1) : Math.round(value)} / s`);

/** Two digits that count: $0.0041, $0.000030, $1.25. */
export function dollars(value: number | null): string | null {
  if (value === null) return null;
  if (value === 0) return "$0";
  const digits = Math.max(2, 1 - Math.floor(Math.log10(Math.abs(value))));
  return `$${value.toFixed(Math.min(digits, 12))}`;
}

/** The sum of what is known; null when nothing is. */
export function total(values: (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
}

export type Figure = "firstTokenS" | "totalS" | "speed" | "cost";

/** Which of several answers is best at each figure; a figure that only one has, or all share, has no best. */
export function best(all: Counts[]): Record<Figure, number | null> {
  const among = (name: Figure, better: (a: number, b: number) => boolean): number | null => {
    const known = all.flatMap((one, index) => (one[name] === null ? [] : [{ index, value: one[name] }]));
    if (known.length < 2 || known.every(({ value }) => value === known[0]!.value)) return null;
    return known.reduce((a, b) => (better(b.value, a.value) ? b : a)).index;
  };
  const less = (a: number, b: number): boolean => a < b;
  return { firstTokenS: among("firstTokenS", less), totalS: among("totalS", less), speed: among("speed", (a, b) => a > b), cost: among("cost", less) };
}
