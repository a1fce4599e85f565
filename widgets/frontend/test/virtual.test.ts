import { expect, test } from "vitest";
import { gridShape, scrollTo, visible } from "../src/core/virtual";

test("as many tiles as fit share the width", () => {
  expect(gridShape(10, 646, 160, 6)).toEqual({ columns: 3, rows: 4, rowHeight: 217, height: 862, tile: 211 });
  expect(gridShape(0, 646, 160, 6).height).toBe(0);
  expect(gridShape(5, 20, 160, 6).columns).toBe(1);
});

test("only the rows in view, and one on each side, are drawn", () => {
  const shape = gridShape(10_000, 1_000, 120, 6);
  expect(visible(shape, 10_000, 0, 480)).toEqual({ from: 0, to: Math.ceil(480 / shape.rowHeight + 1) * shape.columns });
  const deep = visible(shape, 10_000, shape.height - 480, 480);
  expect(deep.to).toBe(10_000);
  expect(deep.to - deep.from).toBeLessThan(60);
});

test("an item out of view says where to scroll, one in view does not", () => {
  const shape = gridShape(100, 646, 160, 6);
  expect(scrollTo(shape, 0, 300, 480)).toBe(0);
  expect(scrollTo(shape, 99, 0, 480)).toBe(34 * shape.rowHeight - 480);
  expect(scrollTo(shape, 4, 200, 480)).toBeNull();
});
