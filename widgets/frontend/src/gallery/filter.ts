/** The gallery's filter: `cfg_scale >= 5 and rating >= 4`, `seed = 123`, `sampler ~ dpm or not fog`; words match the prompt. */
import type { Item } from "./items";

type Value = bigint | number | string | null | undefined;
type Operator = ">=" | "<=" | ">" | "<" | "=" | "!=" | "~";

export interface Comparison {
  kind: "is";
  field: string;
  operator: Operator;
  value: string;
}
export type Expression =
  | { kind: "and" | "or"; parts: Expression[] }
  | { kind: "not"; part: Expression }
  | { kind: "word"; text: string }
  | Comparison;

/** What is wrong with a filter, and at which character. */
export class FilterError extends Error {
  constructor(
    message: string,
    readonly at: number,
  ) {
    super(message);
  }
}

interface Field {
  label: string;
  number: boolean;
  read(item: Item): Value;
}

const field = (label: string, number: boolean, read: (item: Item) => Value): Field => ({ label, number, read });
export const FIELDS: Record<string, Field> = {
  seed: field("seed", true, (item) => item.row.seed),
  cfg_scale: field("cfg scale", true, (item) => item.row.cfg_scale),
  steps: field("number of steps", true, (item) => item.row.steps),
  rating: field("rating", true, (item) => item.rating),
  width: field("width", true, (item) => item.output?.width ?? item.row.width),
  height: field("height", true, (item) => item.output?.height ?? item.row.height),
  time: field("time in seconds", true, (item) => item.row.time),
  sampler_name: field("sampler", false, (item) => item.row.sampler_name),
  scheduler: field("scheduler", false, (item) => item.row.scheduler),
  checkpoint_name: field("checkpoint", false, (item) => item.row.checkpoint_name),
  prompt: field("prompt", false, (item) => item.row.prompt),
  status: field("status", false, (item) => item.state),
  kind: field("kind", false, (item) => item.output?.kind),
  created: field("date", false, (item) => localDate(item.row.created)),
};
const ALIASES: Record<string, string> = {
  cfg: "cfg_scale",
  sampler: "sampler_name",
  checkpoint: "checkpoint_name",
  model: "checkpoint_name",
  prompt_text: "prompt",
  generation_time_seconds: "time",
  date: "created",
};
const LONGEST = 1_000;

interface Token {
  text: string;
  at: number;
  kind: "word" | "quoted" | "operator" | "bracket";
}

function tokens(source: string): Token[] {
  const found: Token[] = [];
  const pattern = /\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(>=|<=|!=|==|[><=~])|([()])|([^\s()<>=!~"']+)|(\S))/gy;
  for (let match = pattern.exec(source); match; match = pattern.exec(source)) {
    const [whole, quoted, operator, bracket, word, odd] = match;
    const text = quoted ?? operator ?? bracket ?? word ?? odd!;
    const at = match.index + whole.length - text.length;
    if (odd === '"' || odd === "'") throw new FilterError(`The text after ${odd} has no end: add another ${odd}`, at);
    if (odd) throw new FilterError(`${odd} means nothing here`, at);
    if (quoted) found.push({ text: quoted.slice(1, -1).replace(/\\(.)/g, "$1"), at, kind: "quoted" });
    else found.push({ text: operator === "==" ? "=" : text, at, kind: operator ? "operator" : bracket ? "bracket" : "word" });
  }
  return found;
}

/** Reads a filter; an empty one is null. Throws `FilterError`. */
export function parseFilter(source: string): Expression | null {
  if (source.length > LONGEST) throw new FilterError(`A filter takes ${LONGEST} characters at most`, LONGEST);
  const all = tokens(source);
  let next = 0;
  const is = (text: string): boolean => all[next]?.kind !== "quoted" && all[next]?.text.toLowerCase() === text;
  const end = (): number => source.length;

  const either = (): Expression => joined("or", both);
  const both = (): Expression => joined("and", single);
  const joined = (kind: "and" | "or", inner: () => Expression): Expression => {
    const parts = [inner()];
    for (;;) {
      if (is(kind)) next++;
      else if (kind === "or" || next >= all.length || is(")") || is("or")) break; // words side by side must all match
      parts.push(inner());
    }
    return parts.length === 1 ? parts[0]! : { kind, parts };
  };
  const single = (): Expression => {
    const token = all[next];
    if (!token) throw new FilterError("Something is missing at the end", end());
    if (is("and") || is("or") || is(")")) throw new FilterError(`Something is missing before “${token.text}”`, token.at);
    next++;
    if (token.kind === "bracket") {
      const inside = either();
      if (!is(")")) throw new FilterError("A closing ) is missing", end());
      next++;
      return inside;
    }
    if (token.kind === "word" && token.text.toLowerCase() === "not") return { kind: "not", part: single() };
    if (token.kind === "operator") throw new FilterError(`A name is missing before ${token.text}, as in rating ${token.text} 4`, token.at);
    if (all[next]?.kind !== "operator" || token.kind === "quoted") return { kind: "word", text: token.text };
    return comparison(token, all[next++]!, all[next++]);
  };
  const comparison = (name: Token, operator: Token, value: Token | undefined): Expression => {
    const low = name.text.toLowerCase();
    const known = ALIASES[low] ?? low;
    if (!Object.hasOwn(FIELDS, known)) throw new FilterError(`“${name.text}” is no value of an image. There are ${Object.keys(FIELDS).join(", ")}`, name.at);
    if (!value || (value.kind !== "word" && value.kind !== "quoted")) throw new FilterError(`A value is missing after ${operator.text}`, value?.at ?? end());
    if (FIELDS[known]!.number && operator.text !== "~" && value.text.toLowerCase() !== "none" && number(value.text) === null)
      throw new FilterError(`${known} is compared with a number, not with “${value.text}”`, value.at);
    return { kind: "is", field: known, operator: operator.text as Operator, value: value.text };
  };

  if (all.length === 0) return null;
  const read = either();
  if (next < all.length) throw new FilterError(`“${all[next]!.text}” is too much here`, all[next]!.at);
  return read;
}

/** Whole numbers stay exact: seeds go to 2^64. */
function number(text: string): bigint | number | null {
  if (/^-?\d+$/.test(text)) return BigInt(text);
  return /^-?(\d+\.?\d*|\.\d+)(e-?\d+)?$/i.test(text) ? Number(text) : null;
}

export function matches(expression: Expression | null, item: Item): boolean {
  if (!expression) return true;
  switch (expression.kind) {
    case "and":
      return expression.parts.every((part) => matches(part, item));
    case "or":
      return expression.parts.some((part) => matches(part, item));
    case "not":
      return !matches(expression.part, item);
    case "word":
      return item.row.lower.includes(expression.text.toLowerCase());
    default:
      return holds(expression, item);
  }
}

function holds({ field: name, operator, value }: Comparison, item: Item): boolean {
  const { number: numeric, read } = FIELDS[name]!;
  const mine = read(item) ?? null;
  if (value.toLowerCase() === "none") return operator === "!=" ? mine !== null : operator === "=" && mine === null;
  if (mine === null) return operator === "!=";
  if (operator === "~") return String(mine).toLowerCase().includes(value.toLowerCase());
  const one = numeric ? mine : String(mine).toLowerCase();
  const other: bigint | number | string = numeric ? number(value)! : value.toLowerCase();
  if (operator === "=") return name === "created" ? String(one).startsWith(String(other)) : one == other; // 5n == 5
  if (operator === "!=") return one != other;
  if (operator === ">") return one > other;
  if (operator === "<") return one < other;
  return operator === ">=" ? one >= other : one <= other;
}

/** Why a filter leaves nothing: about the first comparison that no image meets. */
export function whyNone(expression: Expression | null, items: readonly Item[]): string {
  const lone = comparisons(expression).find((one) => !items.some((item) => holds(one, item)));
  if (!lone) return "";
  const { label, number: numeric, read } = FIELDS[lone.field]!;
  const values = [...new Set(items.map(read))].filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return `No image here has a ${label}.`;
  if (!numeric) {
    const named = values.slice(0, 4).join(", ");
    return lone.field === "prompt" ? "" : `Here the ${label} is ${named}${values.length > 4 ? " …" : ""}.`;
  }
  const sorted = (values as (number | bigint)[]).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (lone.operator === ">" || lone.operator === ">=") return `The highest ${label} here is ${sorted.at(-1)}.`;
  if (lone.operator === "<" || lone.operator === "<=") return `The lowest ${label} here is ${sorted[0]}.`;
  return `The ${label} here is ${sorted[0]}${sorted.length > 1 ? ` to ${sorted.at(-1)}` : ""}.`;
}

function comparisons(expression: Expression | null): Comparison[] {
  if (!expression || expression.kind === "word" || expression.kind === "not") return [];
  return expression.kind === "is" ? [expression] : expression.parts.flatMap(comparisons);
}

export function localDate(ms: number): string {
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
