/** Scales and ticks for the charts. Pure. */

/** Round numbers from at or below `low` to at or above `high`, about `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough * 0.999) ?? 10 * power;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, place) => Number(((first + place) * step).toPrecision(12)));
}

/** The values themselves, where they are so few that each has its label: no tick stands where nothing is. */
export function ownTicks(values: readonly number[], count: number): number[] | undefined {
  const own = [...new Set(values)].sort((one, other) => one - other);
  const nearest = Math.min(...own.slice(1).map((value, place) => value - own[place]!));
  return own.length > 1 && (own.at(-1)! - own[0]!) / nearest <= count ? own : undefined;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [SECOND, 5 * SECOND, 15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];

/** Moments (milliseconds since 1970) between two, at most about `count`. */
export function timeTicks(low: number, high: number, count: number): number[] {
  const step = STEPS.find((one) => (high - low) / one <= count) ?? 365 * DAY * Math.ceil((high - low) / (365 * DAY * count));
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((high - first) / step) + 1) }, (_, place) => first + place * step);
}

export function timeLabel(moment: number, span: number): string {
  const text = new Date(moment).toISOString();
  return span > 2 * DAY ? text.slice(5, 10) : text.slice(11, span > 10 * MINUTE ? 16 : 19);
}

export function numberLabel(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-3)) return value.toExponential(1).replace("+", "");
  return value.toLocaleString("en", { maximumFractionDigits: 3 });
}

/** A number's place among pixels. */
export function place(value: number, low: number, high: number, from: number, to: number): number {
  return high > low ? from + ((value - low) / (high - low)) * (to - from) : (from + to) / 2;
}
