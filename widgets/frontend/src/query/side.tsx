import { useSignal, useSignalEffect } from "@preact/signals";
import { Button, CopyButton, IconButton } from "../core/parts";
import { typeWords } from "./cells";
import type { CellFaces } from "./faces";
import { condition, joined } from "./sql";
import { isNested, type QueryState } from "./state";

/** One cell in full, beside the grid: long text, JSON in lines, the picture of a generation. It follows the cursor. */
export function Side({ state, faces, back }: { state: QueryState; faces: CellFaces; back(): void }) {
  const text = useSignal<string | null>(null);
  const [row, column] = state.at.value;
  const { fields = [], types = [], pictures, number } = state.run.value;
  state.filled.value;
  const cell = row < 0 ? undefined : state.cell(row, column);
  useSignalEffect(() => {
    const [row, column] = state.at.value;
    state.run.value;
    text.value = null;
    if (row < 0) return;
    let late = false;
    state.whole(row, column).then(
      (found) => !late && (text.value = found),
      (error: Error) => !late && (text.value = error.message),
    );
    return () => (late = true);
  });
  const type = types[column] ?? "";
  const close = (): void => {
    state.panel.value = false;
    back();
  };
  if (row < 0 || cell === undefined) return null;
  const name = fields[column]!;
  const narrow = (equal: boolean): void => {
    state.arrange(state.order.peek(), joined(state.where.peek(), condition(name, cell === null ? null : (text.peek() ?? String(cell)), equal)));
    back();
  };
  const picture = pictures.includes(column) && typeof cell === "string" ? faces.of(cell).value : "";
  return (
    <aside
      class="side"
      aria-label={`Cell: ${name}, row ${row + 1}`}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        close();
      }}
    >
      <header>
        <b class="cut">{name}</b>
        <span class="type">{typeWords(type)}</span>
        <span class="quiet-text tiny nowrap">row {(row + 1).toLocaleString("en")}</span>
        <span class="grow" />
        <IconButton icon="close" name="Close the cell" onClick={close} />
      </header>
      <div class="scroll" tabIndex={0} role="group" aria-label="Value">
        {picture && <img src={picture} alt={`Generation ${cell}`} />}
        {cell === null ? <i class="null">null</i> : <pre key={`${number}-${row}-${column}`}>{text.value ?? String(cell)}</pre>}
      </div>
      <footer>
        <CopyButton look="" text={() => text.peek() ?? ""} />
        {!isNested(type) && !type.startsWith("BLOB") && (
          <>
            <Button onClick={() => narrow(true)}>Only these</Button>
            <Button onClick={() => narrow(false)}>Not these</Button>
          </>
        )}
      </footer>
    </aside>
  );
}
