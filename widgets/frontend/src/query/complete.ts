import { tablesIn } from "./sql";
import type { Table } from "./state";

export interface Suggestion {
  label: string;
  /** What stands at the right: its type and where it is from. */
  detail: string;
  info: string;
  kind: "table" | "column" | "parameter";
}

/**
 * What may stand where the cursor is: columns behind a table's name and a dot, tables behind `from` and `join`, else the
 * columns of the tables that the statement names (of `runs` when it names none yet), and then the tables.
 */
export function suggestions(tables: readonly Table[], statement: string, before: string): Suggestion[] {
  const dotted = /([A-Za-z_]\w*)\.\w*$/.exec(before);
  if (dotted) {
    const name = aliased(statement, dotted[1]!);
    return tables.filter((table) => table.name === name).flatMap(columnsOf);
  }
  const names = tables.map(asTable);
  if (/\b(?:from|join)\s+\w*$/i.test(before)) return names;
  const named = new Set(tablesIn(statement));
  const near = tables.filter((table) => named.has(table.name));
  const columns = (near.length > 0 ? near : tables.slice(0, 1)).flatMap(columnsOf);
  const seen = new Set<string>();
  return [...columns.filter(({ label }) => !seen.has(label) && seen.add(label)), ...names];
}

function columnsOf(table: Table): Suggestion[] {
  return table.columns.map((column) => ({ label: column.name, detail: `${column.type}, ${table.name}`, info: column.comment, kind: "column" }));
}

function asTable(table: Table): Suggestion {
  return { label: table.name, detail: typeof table.rows === "number" ? `${table.rows.toLocaleString("en")} rows` : "table", info: "", kind: "table" };
}

/** The table behind an alias: `runs` for r in `from runs r` and in `join runs as r`. */
function aliased(statement: string, name: string): string {
  const found = new RegExp(`\\b(?:from|join)\\s+(\\w+)\\s+(?:as\\s+)?${name}\\b`, "i").exec(statement);
  return (found?.[1] ?? name).toLowerCase();
}
