/** Which items of a long grid are in view: all that a virtual list has to know. Pure; sizes in pixels. */
export interface GridShape {
  columns: number;
  rows: number;
  /** Of one row with its gap. */
  rowHeight: number;
  /** Of everything. */
  height: number;
}

export interface Window {
  /** First item, and the one after the last. */
  from: number;
  to: number;
}

/** Tiles at least `tile` wide, as many in a row as fit in `width`. */
export function gridShape(count: number, width: number, tile: number, gap: number, extra = 0): GridShape & { tile: number } {
  const columns = Math.max(1, Math.floor((width + gap) / (tile + gap)));
  const wide = Math.max(1, Math.floor((width - gap * (columns - 1)) / columns));
  const rows = Math.ceil(count / columns);
  const rowHeight = wide + extra + gap;
  return { columns, rows, rowHeight, height: Math.max(0, rows * rowHeight - gap), tile: wide };
}

/** The items to draw for a scroll position, with `spare` rows above and below. */
export function visible(shape: GridShape, count: number, top: number, height: number, spare = 1): Window {
  const first = Math.max(0, Math.floor(top / shape.rowHeight) - spare);
  const last = Math.min(shape.rows, Math.ceil((top + height) / shape.rowHeight) + spare);
  return { from: Math.min(count, first * shape.columns), to: Math.min(count, last * shape.columns) };
}

/** Where the box must scroll so that an item is whole in view, or null when it is. */
export function scrollTo(shape: GridShape, index: number, top: number, height: number): number | null {
  const above = Math.floor(index / shape.columns) * shape.rowHeight;
  if (above < top) return above;
  return above + shape.rowHeight > top + height ? above + shape.rowHeight - height : null;
}
