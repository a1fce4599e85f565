import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { copyText } from "../core/clipboard";
import { Icon } from "../core/parts";
import { between, cellText, extreme, isNumber, starts, typeWords, widths } from "./cells";
import type { CellFaces } from "./faces";
import { sorted, type Cell, type ColumnSummary, type QueryState } from "./state";

const ROW_PX = 28;
const TALL_PX = 36;
const HEAD_PX = 30;
const SUMMARY_PX = 68;
const NUMBER_PX = 48;
const SPARE = 4;
const JUDGED = 40;
/** The row of the column heads, when the cursor is there. */
const HEADS = -1;

/**
 * The rows, drawn where they are in view, in both directions. One stop for Tab; arrows move, Enter opens a cell or sorts by a
 * column, Space selects a row, Ctrl C copies.
 */
export function Grid({ state, faces }: { state: QueryState; faces: CellFaces }) {
  const box = useRef<HTMLDivElement>(null);
  const view = useSignal({ top: 0, left: 0, width: 800, height: 300 });
  const run = state.run.value;
  const { fields = [], types = [], pictures } = run;
  const summaries = state.summary.value?.number === run.number ? state.summary.value.columns : undefined;
  const rowPx = pictures.length > 0 ? TALL_PX : ROW_PX;
  const hadSummary = useRef(false);
  hadSummary.current ||= summaries !== undefined;
  const headPx = hadSummary.current || state.count.value > 0 ? SUMMARY_PX : HEAD_PX; // room is kept: nothing jumps when they come
  state.filled.value; // rows have come
  const first = state.row(0) !== undefined;
  const columns = useMemo(
    () => widths(fields, types, pictures, Array.from({ length: Math.min(JUDGED, state.count.peek()) }, (_, row) => state.row(row))),
    [run.number, first, pictures.join()],
  );
  const at = starts(columns);
  const { top, left, width, height } = view.value;
  const count = state.count.value;
  const from = Math.max(0, Math.floor(top / rowPx) - SPARE);
  const to = Math.min(count, Math.ceil((top + height - headPx) / rowPx) + SPARE);
  const [firstColumn, lastColumn] = between(at, left, left + width - NUMBER_PX);
  const [row, column] = state.at.value;

  const look = (): void => {
    if (!box.current) return; // its last scroll may be told when it is gone
    const { scrollTop, scrollLeft, clientWidth, clientHeight } = box.current;
    const now = view.peek();
    if (now.top !== scrollTop || now.left !== scrollLeft || now.width !== clientWidth || now.height !== clientHeight)
      view.value = { top: scrollTop, left: scrollLeft, width: clientWidth, height: clientHeight };
  };
  useEffect(() => {
    look();
    const watcher = new ResizeObserver(look);
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    if (to > from) state.need(from, to);
  }, [from, to, run.number]);
  useSignalEffect(() => {
    const [row, column] = state.at.value;
    scrollTo(box.current, row, rowPx, headPx, at[column] ?? 0, at[column + 1] ?? 0);
  });

  const sort = (place: number, more: boolean): void => state.arrange(sorted(state.order.peek(), place, more), state.where.peek());
  const copy = async (): Promise<void> => {
    const [row, column] = state.at.peek();
    const rows = state.selected.peek().size;
    const text = rows > 0 ? await state.copied("tsv") : await state.whole(row, column);
    if (await copyText(text)) state.said.value = rows > 0 ? `${rows === 1 ? "1 row" : `${rows} rows`} copied` : "Cell copied";
  };
  const move = (down: number, right: number): void => {
    const [row, column] = state.at.peek(); // keys may come faster than the view is drawn
    state.at.value = [Math.max(HEADS, Math.min(count - 1, row + down)), Math.max(0, Math.min(fields.length - 1, column + right))];
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const [row, column] = state.at.peek();
    const page = Math.max(1, Math.floor((height - headPx) / rowPx) - 1);
    const command = event.ctrlKey || event.metaKey;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      move(step, 0);
      if (event.shiftKey && state.at.value[0] >= 0) state.select([...state.selected.peek(), Math.max(0, row), state.at.value[0]]);
    } else if (event.key === "ArrowRight") move(0, 1);
    else if (event.key === "ArrowLeft") move(0, -1);
    else if (event.key === "PageDown") move(page, 0);
    else if (event.key === "PageUp") move(-Math.min(page, Math.max(0, row)), 0);
    else if (event.key === "Home") move(command ? -Math.max(0, row) : 0, -fields.length);
    else if (event.key === "End") move(command ? count : 0, fields.length);
    else if (event.key === "Enter") {
      if (row === HEADS) sort(column, event.shiftKey);
      else state.panel.value = true;
    } else if (event.key === " " && row >= 0) toggle(state, row, false);
    else if (command && event.key.toLowerCase() === "c") void copy().catch((error: Error) => (state.said.value = error.message));
    else if (command && event.key.toLowerCase() === "a") state.select(Array.from({ length: count }, (_, place) => place));
    else if (event.key === "Escape" && state.running.peek()) state.stop();
    else if (event.key === "Escape" && state.panel.peek()) state.panel.value = false;
    else if (event.key === "Escape" && state.selected.peek().size > 0) state.select([]);
    else return;
    event.preventDefault();
  };

  const shownColumns = Array.from({ length: lastColumn - firstColumn }, (_, place) => firstColumn + place);
  const isDrawn = row === HEADS ? count >= 0 : row >= from && row < to && state.row(row) !== undefined; // a row that is still to come has no cells
  return (
    <div
      ref={box}
      class={`grid scroll${state.running.value ? " dim" : ""}`}
      role="grid"
      tabIndex={0}
      aria-label="Result"
      aria-rowcount={count + 1}
      aria-colcount={fields.length + 1}
      aria-multiselectable="true"
      aria-busy={state.running.value}
      aria-activedescendant={isDrawn && column >= firstColumn && column < lastColumn ? `cell-${row}-${column}` : undefined}
      onScroll={look}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" class="heads" style={{ height: `${headPx}px`, width: `${at.at(-1)! + NUMBER_PX}px` }}>
        <div role="row" aria-rowindex={1}>
          <span role="columnheader" aria-colindex={1} class="n" style={{ width: `${NUMBER_PX}px` }}>
            <span class="sr">Row</span>
          </span>
          {shownColumns.map((place) => {
            const order = state.order.value.findIndex(([one]) => one === place);
            const largest = order >= 0 && state.order.value[order]![1];
            const type = types[place] ?? "";
            const isAt = row === HEADS && column === place;
            return (
              <div
                key={place}
                id={`cell--1-${place}`}
                role="columnheader"
                aria-colindex={place + 2}
                aria-sort={order < 0 ? "none" : largest ? "descending" : "ascending"}
                class={`head-cell${isNumber(type) ? " r" : ""}${isAt ? " on" : ""}`}
                style={{ left: `${at[place]! + NUMBER_PX}px`, width: `${columns[place]}px` }}
                title={about(fields[place]!, type, summaries?.[place])}
                onClick={(event) => {
                  state.at.value = [HEADS, place];
                  sort(place, event.shiftKey);
                }}
              >
                <span class="name">
                  <b class="cut">{fields[place]}</b>
                  <span class="type">{typeWords(type)}</span>
                  {order >= 0 && (
                    <span class={`order${largest ? "" : " up"}`}>
                      <Icon name="down" />
                      {state.order.value.length > 1 && order + 1}
                    </span>
                  )}
                </span>
                {summaries?.[place] && <Spark summary={summaries[place]} type={type} />}
              </div>
            );
          })}
        </div>
      </div>
      <div role="rowgroup" class="rows" style={{ height: `${count * rowPx}px`, width: `${at.at(-1)! + NUMBER_PX}px` }}>
        {Array.from({ length: Math.max(0, to - from) }, (_, place) => {
          const index = from + place;
          return (
            <Row
              key={index}
              index={index}
              cells={state.row(index)}
              height={rowPx}
              isSelected={state.selected.value.has(index)}
              select={(event) => toggle(state, index, event.shiftKey)}
            >
              {(cells) =>
                shownColumns.map((one) => (
                  <div
                    key={one}
                    id={`cell-${index}-${one}`}
                    role="gridcell"
                    aria-colindex={one + 2}
                    class={`cell${isNumber(types[one] ?? "") ? " r" : ""}${row === index && column === one ? " on" : ""}`}
                    style={{ left: `${at[one]! + NUMBER_PX}px`, width: `${columns[one]}px` }}
                    onClick={() => (state.at.value = [index, one])}
                    onDblClick={() => (state.panel.value = true)}
                  >
                    <CellView value={cells[one] ?? null} type={types[one] ?? ""} faces={pictures.includes(one) ? faces : undefined} />
                  </div>
                ))
              }
            </Row>
          );
        })}
      </div>
    </div>
  );
}

interface RowProps {
  index: number;
  cells: Cell[] | undefined;
  height: number;
  isSelected: boolean;
  select(event: MouseEvent): void;
  children(cells: Cell[]): preact.ComponentChildren;
}

function Row({ index, cells, height, isSelected, select, children }: RowProps) {
  return (
    <div role="row" aria-rowindex={index + 2} aria-selected={isSelected} class={`row${isSelected ? " chosen" : ""}`} style={{ top: `${index * height}px`, height: `${height}px` }}>
      <span role="rowheader" aria-colindex={1} class="n" style={{ width: `${NUMBER_PX}px` }} title="Select the row (Space)" onClick={select}>
        {(index + 1).toLocaleString("en")}
      </span>
      {cells ? children(cells) : <span class="ghost" role="gridcell" />}
    </div>
  );
}

function CellView({ value, type, faces }: { value: Cell; type: string; faces?: CellFaces }) {
  if (value === null) return <i class="null">null</i>;
  if (faces && typeof value === "string") {
    const url = faces.of(value).value;
    if (url) return <img src={url} alt={`Generation ${value}`} title={value} draggable={false} />;
  }
  return <>{cellText(value, type)}</>;
}

/** What is in a column, as bars, with the extremes or the number of different values below. */
export function Spark({ summary, type }: { summary: ColumnSummary; type: string }) {
  const bars = summary.bars ?? summary.often?.map(([, count]) => count);
  const most = Math.max(1, ...(bars ?? []));
  const step = bars ? 100 / bars.length : 0;
  const ends = summary.min !== undefined;
  return (
    <>
      <svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">
        {bars?.map((count, place) => {
          const tall = count === 0 ? 0 : Math.max(1.5, (count / most) * 20);
          return <rect x={place * step} y={20 - tall} width={Math.max(1, step - 1.5)} height={tall} />;
        })}
      </svg>
      <span class="range">
        <span class="cut">{ends ? extreme(summary.min, type) : summary.distinct === undefined ? "" : summary.distinct === 1 ? "1 value" : `${summary.distinct.toLocaleString("en")} values`}</span>
        <span class="cut">{ends && summary.max !== summary.min ? extreme(summary.max, type) : ""}</span>
      </span>
    </>
  );
}

function about(name: string, type: string, summary?: ColumnSummary): string {
  const words = [`${name}, ${type}`];
  if (summary?.distinct !== undefined) words.push(`${summary.often ? "" : "about "}${summary.distinct.toLocaleString("en")} different`);
  if (summary) words.push(summary.nulls === 0 ? "no nulls" : `${summary.nulls.toLocaleString("en")} nulls`);
  if (summary?.often) words.push(summary.often.map(([value, count]) => `${value}: ${count.toLocaleString("en")}`).join("; "));
  return `${words.join("\n")}\nClick sorts, Shift click adds to the order`;
}

function toggle(state: QueryState, row: number, range: boolean): void {
  const chosen = [...state.selected.peek()];
  const last = chosen.at(-1);
  if (range && last !== undefined) {
    const [low, high] = [Math.min(last, row), Math.max(last, row)];
    state.select([...chosen, ...Array.from({ length: high - low + 1 }, (_, place) => low + place)]);
  } else state.select(chosen.includes(row) ? chosen.filter((one) => one !== row) : [...chosen, row]);
}

function scrollTo(box: HTMLElement | null, row: number, rowPx: number, headPx: number, left: number, right: number): void {
  if (!box) return;
  const visible = box.clientHeight - headPx;
  if (row >= 0) {
    if (row * rowPx < box.scrollTop) box.scrollTop = row * rowPx;
    else if ((row + 1) * rowPx > box.scrollTop + visible) box.scrollTop = (row + 1) * rowPx - visible;
  }
  if (left < box.scrollLeft) box.scrollLeft = left;
  else if (right + NUMBER_PX > box.scrollLeft + box.clientWidth) box.scrollLeft = Math.min(left, right + NUMBER_PX - box.clientWidth);
}
