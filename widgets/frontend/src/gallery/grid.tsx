import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { gridShape, scrollTo, visible } from "../core/virtual";
import type { Deeds } from "./deeds";
import type { Faces } from "./faces";
import type { Item } from "./items";
import type { GalleryState } from "./state";
import { optionId, Tile } from "./tile";

export type Size = "S" | "M" | "L";
/** Width of a tile at least, and how many parts its caption has room for. */
export const SIZES: Record<Size, [width: number, room: number]> = { S: [84, 1], M: [128, 2], L: [208, 4] };
const GAP = 6;
const PADDING = 8;
const CAPTION = 20;

interface Props {
  state: GalleryState;
  faces: Faces;
  deeds: Deeds;
  size: Size;
  /** Keys of the tiles that are drawn; `Faces` asks only for those. */
  drawn: Set<string>;
  open(item: Item): void;
  compare(): void;
}

/** Thousands of tiles, of which only those in view are in the page. One tab stop; the arrows move inside. */
export function Grid({ state, faces, deeds, size, drawn, open, compare }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  const height = useSignal(0);
  const top = useSignal(0);
  const wide = useSignal<Size>(size);
  wide.value = size;

  const shape = useComputed(() => gridShape(state.items.value.length, width.value, SIZES[wide.value][0], GAP, CAPTION));
  const spans = useComputed(() => {
    const { from, to } = visible(shape.value, state.items.value.length, top.value - PADDING, height.value);
    return `${from} ${to}`; // a text: it only tells when it differs
  });
  useMeasuredBox(box, width, height);
  const keptPlace = useKeptPlace(box, state, () => shape.value.columns, () => shape.value.rowHeight);
  useScroll(box, (at) => {
    top.value = at;
    keptPlace(at);
    state.reading = at > shape.peek().rowHeight / 2;
    if (!state.reading) state.release();
  });

  const show = (place: number): void => {
    const to = scrollTo(shape.peek(), place, box.current!.scrollTop, height.peek() - PADDING);
    if (to !== null) box.current!.scrollTop = to;
  };
  const move = (place: number, extend: boolean): void => {
    const items = state.items.peek();
    const item = items[Math.min(items.length - 1, Math.max(0, place))];
    if (!item) return;
    if (extend) {
      state.extend(item.key);
      state.at.value = item.key;
    } else state.moveTo(item.key);
    show(state.place(item.key));
    deeds.tellSelection();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const handled = gridKey(event, { state, deeds, move, open, compare, columns: shape.peek().columns, page: pageOf(shape.peek().columns) });
    if (handled) event.preventDefault();
  };
  const pageOf = (columns: number): number => columns * Math.max(1, Math.floor(height.peek() / shape.peek().rowHeight));
  const onClick = (event: MouseEvent): void => {
    const item = itemAt(event, state);
    if (!item) return;
    const deed = (event.target as Element).closest<HTMLElement>("[data-do]")?.dataset.do;
    if (deed === "cancel") return void deeds.cancel([item]);
    if (deed === "retry") return void deeds.retry([item]);
    if (event.shiftKey) state.extend(item.key);
    else if (deed === "tick" || event.ctrlKey || event.metaKey) state.toggle(item.key);
    else {
      state.moveTo(item.key);
      state.select([item.key]);
    }
    state.at.value = item.key;
    deeds.tellSelection();
  };

  const items = state.items.value;
  const [from, to] = spans.value.split(" ").map(Number) as [number, number];
  const places = Array.from({ length: to - from }, (_, index) => from + index);
  const at = state.place(state.at.value);
  if (at >= 0 && (at < from || at >= to)) places.push(at); // aria-activedescendant has to name something that is there
  drawn.clear();
  const nodes = places.flatMap((place) => {
    const item = items[place];
    if (!item) return [];
    drawn.add(item.key);
    const { columns, rowHeight, tile } = shape.value;
    const style = `width:${tile}px;height:${rowHeight - GAP}px;left:${(place % columns) * (tile + GAP)}px;top:${Math.floor(place / columns) * rowHeight}px`;
    const props = { item, faces, state, names: state.differs.value, room: SIZES[size][1], place, count: items.length, style };
    return <Tile key={item.key} {...props} chosen={state.selection.value.has(item.key)} at={place === at} />;
  });

  return (
    <div
      ref={box}
      class="tiles scroll"
      role="listbox"
      aria-label="Images"
      aria-multiselectable
      aria-activedescendant={at >= 0 ? optionId(state.at.value) : undefined}
      tabindex={0}
      onFocus={() => {
        if (state.place(state.at.peek()) < 0 && items[from]) state.moveTo(items[from]!.key);
      }}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onDblClick={(event) => {
        const item = itemAt(event, state);
        if (item && !(event.target as Element).closest("[data-do]")) open(item);
      }}
    >
      <div class="canvas" style={{ height: `${shape.value.height}px` }}>
        {nodes}
      </div>
    </div>
  );
}

function itemAt(event: Event, state: GalleryState): Item | undefined {
  const tile = (event.target as Element).closest<HTMLElement>("[data-key]");
  return tile ? state.find(tile.dataset.key!) : undefined;
}

function useMeasuredBox(box: { current: HTMLDivElement | null }, width: { value: number }, height: { value: number }): void {
  useLayoutEffect(() => {
    const measure = (): void => {
      width.value = Math.max(0, box.current!.clientWidth - 2 * PADDING);
      height.value = box.current!.clientHeight;
    };
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
}

/** Hears where the box was scrolled to: once a frame, before anything is drawn, and with nothing laid out anew for it. */
function useScroll(box: { current: HTMLDivElement | null }, moved: (top: number) => void): void {
  useLayoutEffect(() => {
    const element = box.current!;
    let frame = 0;
    const look = (): void => {
      frame = 0;
      moved(element.scrollTop);
    };
    const onScroll = (): void => void (frame ||= requestAnimationFrame(look));
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      element.removeEventListener("scroll", onScroll);
    };
  }, []);
}

/** With other columns the tile that was at the top stays there; with another filter or order the reader starts anew. */
function useKeptPlace(box: { current: HTMLDivElement | null }, state: GalleryState, columns: () => number, rowHeight: () => number): (top: number) => void {
  const first = useRef({ place: 0, columns: 0, asked: "" });
  useSignalEffect(() => {
    const now = columns();
    const tall = rowHeight();
    const asked = `${state.sort.value} ${state.only.value} ${state.filter.value}`;
    const before = first.current;
    const element = box.current!;
    if (before.asked && before.asked !== asked) element.scrollTop = 0;
    else if (before.columns && before.columns !== now) {
      const place = before.place;
      requestAnimationFrame(() => (element.scrollTop = Math.floor(place / now) * tall));
    }
    first.current = { ...before, columns: now, asked };
  });
  return (top) => {
    first.current.place = Math.round(top / rowHeight()) * first.current.columns;
  };
}

interface KeyContext {
  state: GalleryState;
  deeds: Deeds;
  columns: number;
  page: number;
  move(place: number, extend: boolean): void;
  open(item: Item): void;
  compare(): void;
}

/** What a key does in the grid. Says whether it does anything. */
export function gridKey(event: KeyboardEvent, { state, deeds, columns, page, move, open, compare }: KeyContext): boolean {
  const { key, shiftKey, ctrlKey, metaKey, altKey } = event;
  const at = state.place(state.at.peek());
  const item = state.items.peek()[at];
  if (ctrlKey || metaKey) {
    if (key.toLowerCase() !== "a" || altKey) return false;
    state.select(state.items.peek().map((one) => one.key));
    deeds.tellSelection();
    return true;
  }
  const steps: Record<string, number> = {
    ...{ ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, PageUp: at - page, PageDown: at + page },
    ...{ Home: 0, End: Infinity },
  };
  if (altKey) return false;
  if (key in steps) move(at < 0 ? 0 : key === "ArrowUp" && at < columns ? at : steps[key]!, shiftKey);
  else if (key === " " && item) {
    state.toggle(item.key);
    deeds.tellSelection();
  } else if (key === "Enter" && item) open(item);
  else if (key === "Escape" && state.selection.peek().size > 0) {
    state.select([]);
    deeds.tellSelection();
  } else if (/^[1-5]$/.test(key)) void deeds.rate(state.targets, Number(key));
  else if (key === "0") void deeds.rate(state.targets, null);
  else if (key === "x" || key === "X") void deeds.rate(state.targets, 0);
  else if (key === "c" || key === "C") compare();
  else if (key === "u" || key === "U") void deeds.reuse(state.targets[0]);
  else if (key === "r" || key === "R") void deeds.retry(state.targets);
  else if (key === "Delete" || key === "Backspace") void deeds.remove(state.targets);
  else return false;
  return true;
}
