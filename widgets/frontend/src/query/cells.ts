import { isNested, type Cell } from "./state";

const NUMBERS = /^U?(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$|^(FLOAT|DOUBLE|DECIMAL)/;
const CHAR_PX = 7.2;
const MOST_PX = 320;

export function isNumber(type: string): boolean {
  return NUMBERS.test(type) && !type.endsWith("]");
}

export function isTime(type: string): boolean {
  return type.startsWith("TIMESTAMP");
}

/** A type as the head of a column names it. */
export function typeWords(type: string): string {
  if (type.startsWith("TIMESTAMP")) return "time";
  if (type.startsWith("DECIMAL")) return "decimal";
  if (type.startsWith("STRUCT")) return "struct";
  if (type.startsWith("MAP")) return "map";
  if (type.startsWith("ENUM")) return "enum";
  const plain = type.replaceAll('"', "").toLowerCase();
  return { varchar: "text", integer: "int", double: "double" }[plain] ?? (plain.length > 14 ? `${plain.slice(0, 13)}…` : plain);
}

/** A value as a cell shows it: numbers with their thousands apart, but not years or seeds; times to the second. */
export function cellText(value: Cell, type: string): string {
  if (value === null) return "null";
  if (typeof value === "number") return numberText(value, type);
  if (typeof value === "boolean") return value ? "true" : "false";
  if (isTime(type)) return timeText(value);
  return value.replace(/\s+/g, " ");
}

function numberText(value: number, type: string): string {
  if (Number.isInteger(value)) return type.startsWith("U") || Math.abs(value) < 10_000 ? String(value) : value.toLocaleString("en");
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return value.toExponential(3);
  return value.toLocaleString("en", { maximumFractionDigits: size < 1 ? 6 : 3 });
}

/** A time of the store in the reader's own zone, as `2026-11-14 16:20:04`. */
export function timeText(value: string): string {
  const moment = value.endsWith("Z") ? new Date(value) : null;
  if (!moment || Number.isNaN(moment.getTime())) return value.replace("T", " ").replace(/\.000$/, "");
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} ${two(moment.getHours())}:${two(moment.getMinutes())}:${two(moment.getSeconds())}`;
}

/** How wide each column is, in pixels, judged by its name, its type and its first rows. */
export function widths(fields: string[], types: string[], pictures: readonly number[], rows: (Cell[] | undefined)[]): number[] {
  return fields.map((name, column) => {
    const type = types[column] ?? "";
    const head = name.length + 1 + typeWords(type).length;
    if (pictures.includes(column)) return Math.max(64, Math.min(MOST_PX, Math.round(head * CHAR_PX) + 24));
    const longest = Math.max(4, ...rows.map((row) => (row ? cellText(row[column] ?? null, type).length : 4)));
    const most = isNested(type) || longest > 60 ? 240 : MOST_PX;
    return Math.max(Math.min(MOST_PX, Math.round(head * CHAR_PX) + 30), Math.min(most, Math.round(longest * CHAR_PX) + 20));
  });
}

/** Where each column begins; the last number is the width of all. */
export function starts(columns: readonly number[]): number[] {
  const at = [0];
  for (const width of columns) at.push(at.at(-1)! + width);
  return at;
}

/** The columns that a stretch of pixels touches: the first, and the one after the last. */
export function between(at: readonly number[], left: number, right: number): [number, number] {
  const count = at.length - 1;
  let from = 0;
  while (from < count && at[from + 1]! <= left) from++;
  let to = from;
  while (to < count && at[to]! < right) to++;
  return [from, to];
}

/** An extreme of a column in few characters, for the foot of its bars. */
export function extreme(text: string | null | undefined, type: string): string {
  if (text === null || text === undefined) return "";
  if (isNumber(type)) {
    const value = Number(text);
    if (Math.abs(value) > Number.MAX_SAFE_INTEGER) return value.toExponential(1).replace("+", "");
    return cellText(value, type);
  }
  return text.slice(0, 10);
}
