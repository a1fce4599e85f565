/** What the page has to know of a statement's text; `_query_sql.py` knows the same of it. */

const UNREAD = /--[^\n]*|\/\*[\s\S]*?\*\/|[eE]'(?:\\[\s\S]|[^'\\]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$(\w*)\$[\s\S]*?\$\1\$/g;

/** With comments, texts and quoted names as blanks, character for character. */
export function blanked(sql: string): string {
  return sql.replace(UNREAD, (found) => " ".repeat(found.length));
}

/** The names behind `$`, each once, in their order. */
export function parameterNames(sql: string): string[] {
  return [...new Set([...blanked(sql).matchAll(/\$([A-Za-z_]\w*)/g)].map((found) => found[1]!))];
}

/** A name as SQL has it: bare where it can be, else in double quotes. */
export function quotedName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : `"${name.replaceAll('"', '""')}"`;
}

/** A condition that holds for the rows that have this text (null: nothing) in a column. DuckDB reads it as the column's type. */
export function condition(name: string, value: string | null, equal: boolean): string {
  if (value === null) return `${quotedName(name)} is ${equal ? "" : "not "}null`;
  return `${quotedName(name)} ${equal ? "=" : "is distinct from"} '${value.replaceAll("'", "''")}'`;
}

export function joined(where: string, more: string): string {
  if (!where.trim()) return more;
  return /\bor\b/i.test(blanked(where)) ? `(${where.trim()}) and ${more}` : `${where.trim()} and ${more}`;
}

/** Where line and column (from 1) are in a text. */
export function offsetOf(text: string, line: number, column: number): number {
  let at = 0;
  for (let number = 1; number < line; number++) {
    const next = text.indexOf("\n", at);
    if (next < 0) break;
    at = next + 1;
  }
  return Math.min(text.length, at + column - 1);
}

/** The tables that a statement names behind `from` and `join`. */
export function tablesIn(sql: string): string[] {
  return [...blanked(sql).matchAll(/\b(?:from|join)\s+([A-Za-z_]\w*)/gi)].map((found) => found[1]!.toLowerCase());
}

// What nobody can name a column without quotes (DuckDB's reserved words that are likely as one)
const RESERVED = new Set(
  "all and any as asc both case cast check collate column constraint create default desc distinct do else end except exists false fetch for foreign from group having in into is join lateral leading left like limit not null offset on only or order over primary qualify references returning right select show some summarize table then to trailing true union unique using when where window with".split(
    " ",
  ),
);
