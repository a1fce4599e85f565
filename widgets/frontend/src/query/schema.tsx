import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Button, Icon } from "../core/parts";
import type { Desk } from "./editor";
import { typeWords } from "./cells";
import { quotedName } from "./sql";
import type { Column, QueryState, Table } from "./state";

interface Node {
  id: string;
  table: Table;
  column?: Column;
  open?: boolean;
}

/** The tables and their columns. A click, or Enter, writes a name into the editor; arrows open and close. */
export function Schema({ state, desk }: { state: QueryState; desk: Desk }) {
  const find = useSignal("");
  const open = useSignal<ReadonlySet<string>>(new Set(["runs"]));
  const at = useSignal("");
  const list = useRef<HTMLDivElement>(null);
  const tables = state.tables.value;
  const nodes = shown(tables ?? [], find.value.trim().toLowerCase(), open.value);
  const current = nodes.find(({ id }) => id === at.value) ?? nodes[0];

  const toggle = (name: string, wanted: boolean): void => {
    const next = new Set(open.peek());
    if (wanted) next.add(name);
    else next.delete(name);
    open.value = next;
  };
  const move = (step: number): void => {
    const next = nodes[Math.max(0, Math.min(nodes.length - 1, nodes.indexOf(current!) + step))];
    if (!next) return;
    at.value = next.id;
    requestAnimationFrame(() => list.current?.querySelector(".node.at")?.scrollIntoView({ block: "nearest" }));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (!current) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Home") move(-nodes.length);
    else if (event.key === "End") move(nodes.length);
    else if (event.key === "ArrowRight") current.column || current.open ? move(1) : toggle(current.table.name, true);
    else if (event.key === "ArrowLeft") {
      if (current.column) at.value = current.table.name;
      else toggle(current.table.name, false);
    } else if (event.key === "Enter" || event.key === " ") insert(current);
    else return;
    event.preventDefault();
  };
  const insert = ({ table, column }: Node): void => desk.insert(quotedName(column?.name ?? table.name));

  return (
    <div class="schema">
      <span class="affix">
        <Icon name="search" />
        <input class="field" aria-label="Find a table or column" placeholder="Find" value={find.value} onInput={(event) => (find.value = event.currentTarget.value)} />
      </span>
      {tables === null && !state.schemaError.value && <p class="note quiet-text">Reading the tables…</p>}
      {tables && state.schemaError.value && (
        <p class="note" role="alert">
          {state.schemaError.value} <Button onClick={() => void state.rpc.call("schema").catch(() => {})}>Try again</Button>
        </p>
      )}
      {tables && nodes.length === 0 && <p class="note quiet-text">No table or column has “{find.value.trim()}” in its name.</p>}
      {nodes.length > 0 && (
        <div ref={list} class="tree scroll" role="tree" aria-label="Schema" tabIndex={0} aria-activedescendant={`tree-${current?.id}`} onKeyDown={onKeyDown}>
          {nodes.map((node) => (
            <Leaf
              key={node.id}
              node={node}
              at={node.id === current?.id}
              choose={() => {
                at.value = node.id;
                if (node.column) insert(node);
                else toggle(node.table.name, !node.open);
              }}
              insert={() => insert(node)}
            />
          ))}
        </div>
      )}
    </div>
  );
}

function Leaf({ node: { id, table, column, open }, at, choose, insert }: { node: Node; at: boolean; choose(): void; insert(): void }) {
  const title = column ? [column.name, column.type, column.comment].filter(Boolean).join(", ") : `${table.name}: double click writes its name`;
  return (
    <div
      id={`tree-${id}`}
      class={`node${column ? " leaf" : ""}${open ? " open" : ""}${at ? " at" : ""}`}
      role="treeitem"
      aria-level={column ? 2 : 1}
      aria-expanded={column ? undefined : !!open}
      aria-selected={at}
      title={title}
      onClick={choose}
      onDblClick={column ? undefined : insert}
    >
      {!column && <Icon name={open ? "down" : "right"} />}
      <span class="cut">{column?.name ?? table.name}</span>
      <span class="end">{column ? typeWords(column.type.toUpperCase()) : typeof table.rows === "number" ? table.rows.toLocaleString("en") : ""}</span>
    </div>
  );
}

/** The lines of the tree. A search opens what has a hit in it. */
function shown(tables: readonly Table[], find: string, open: ReadonlySet<string>): Node[] {
  return tables.flatMap((table) => {
    const isHit = table.name.toLowerCase().includes(find);
    const columns = find && !isHit ? table.columns.filter(({ name }) => name.toLowerCase().includes(find)) : table.columns;
    if (!isHit && columns.length === 0) return [];
    const isOpen = open.has(table.name) || (find !== "" && !isHit);
    const leaves = isOpen ? columns.map((column) => ({ id: `${table.name}-${column.name}`, table, column })) : [];
    return [{ id: table.name, table, open: isOpen }, ...leaves];
  });
}
