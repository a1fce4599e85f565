import { expect, test } from "vitest";
import { between, cellText, extreme, starts, timeText, typeWords, widths } from "../src/query/cells";
import { complete } from "../src/query/chart";
import { suggestions } from "../src/query/complete";
import { asPython } from "../src/query/export";
import { numberLabel, ownTicks, place, ticks, timeTicks } from "../src/query/scale";
import { condition, joined, offsetOf, parameterNames, quotedName, tablesIn } from "../src/query/sql";
import { sorted, type Sort, type Table } from "../src/query/state";

const TABLES: Table[] = [
  { name: "runs", rows: 40, columns: [{ name: "seed", type: "ubigint", comment: "The one that ran" }, { name: "rating", type: "bigint", comment: "" }] },
  { name: "tasks", rows: null, columns: [{ name: "name", type: "varchar", comment: "" }] },
];
const labels = (statement: string, before = statement): string[] => suggestions(TABLES, statement, before).map(({ label }) => label);

test("parameters are found outside of texts, comments and quoted names", () => {
  expect(parameterNames(`select $a, '$b', "$c", $a, $d -- $e\n/* $f */ $$ $g $$`)).toEqual(["a", "d"]);
});

test("conditions quote what has to be quoted", () => {
  expect(condition("rating", "5", true)).toBe("rating = '5'");
  expect(condition('odd "name"', "it's", false)).toBe(`"odd ""name""" is distinct from 'it''s'`);
  expect(condition("order", null, true)).toBe('"order" is null');
  expect(quotedName("Steps")).toBe('"Steps"');
  expect(joined("", "a = 1")).toBe("a = 1");
  expect(joined("a = 1 or b = 2", "c = 3")).toBe("(a = 1 or b = 2) and c = 3");
  expect(joined("a = 'this or that'", "c = 3")).toBe("a = 'this or that' and c = 3");
});

test("a place is counted in lines and columns", () => {
  expect("ab\ncd\nef".slice(offsetOf("ab\ncd\nef", 3, 2))).toBe("f");
  expect(offsetOf("ab", 9, 9)).toBe(2);
  expect(tablesIn("select 'from x' from Runs r join tasks")).toEqual(["runs", "tasks"]);
});

test("completion knows what belongs where", () => {
  expect(labels("select s from tasks", "select s")).toEqual(["name", "runs", "tasks"]);
  expect(labels("select * from ta")).toEqual(["runs", "tasks"]);
  expect(labels("select ")).toEqual(["seed", "rating", "runs", "tasks"]);
  expect(labels("select r.s from runs as r", "select r.s")).toEqual(["seed", "rating"]);
  expect(labels("select tasks.n")).toEqual(["name"]);
  expect(suggestions(TABLES, "select ", "select ")[0]).toEqual({ label: "seed", detail: "ubigint, runs", info: "The one that ran", kind: "column" });
});

test("a click on a head goes through both orders and back; with more it joins the others", () => {
  const first = sorted([], 2, false);
  expect(first).toEqual([[2, false]]);
  expect(sorted(first, 2, false)).toEqual([[2, true]]);
  expect(sorted([[2, true]], 2, false)).toEqual([]);
  const two: Sort = sorted(first, 0, true);
  expect(two).toEqual([[2, false], [0, false]]);
  expect(sorted(two, 2, true)).toEqual([[2, true], [0, false]]);
  expect(sorted([[2, true], [0, false]], 2, true)).toEqual([[0, false]]);
});

test("cells are spelled by their type", () => {
  expect(cellText(12412, "BIGINT")).toBe("12,412");
  expect(cellText(4109, "BIGINT")).toBe("4109");
  expect(cellText(41090000, "UBIGINT")).toBe("41090000");
  expect(cellText("18446744073709551615", "UBIGINT")).toBe("18446744073709551615");
  expect(cellText(0.1 + 0.2, "DOUBLE")).toBe("0.3");
  expect(cellText(1.5e-7, "DOUBLE")).toBe("1.500e-7");
  expect(cellText(null, "DOUBLE")).toBe("null");
  expect(cellText(false, "BOOLEAN")).toBe("false");
  expect(cellText("a\n\tb", "VARCHAR")).toBe("a b");
  expect(timeText("2026-11-14T16:20:00.000")).toBe("2026-11-14 16:20:00");
  expect(timeText("2026-11-14T16:20:00.000Z")).toMatch(/^2026-11-1[3-5] \d\d:20:00$/);
  expect(["TIMESTAMP WITH TIME ZONE", "DECIMAL(10,2)", "VARCHAR", '"NULL"', "INTEGER[]"].map(typeWords)).toEqual(["time", "decimal", "text", "null", "integer[]"]);
  expect(extreme("18446744073709551557", "UBIGINT")).toBe("1.8e19");
});

test("the columns in view are found among many", () => {
  const at = starts([100, 50, 200, 80]);
  expect(at).toEqual([0, 100, 150, 350, 430]);
  expect(between(at, 0, 90)).toEqual([0, 1]);
  expect(between(at, 120, 360)).toEqual([1, 4]);
  expect(between(at, 1000, 2000)).toEqual([4, 4]);
  const [narrow, wide] = widths(["i", "text"], ["BIGINT", "VARCHAR"], [], [[1, "x".repeat(400)]]);
  expect(narrow).toBeLessThan(90);
  expect(wide).toBeLessThanOrEqual(320);
});

test("few values have a tick each, unless two of them are too near", () => {
  expect(ownTicks([9, 3, 5, 7, 3], 12)).toEqual([3, 5, 7, 9]);
  expect(ownTicks([3, 3.1, 9], 12)).toBeUndefined();
  expect(ownTicks([4, 4], 12)).toBeUndefined();
});

test("ticks are round and hold everything", () => {
  expect(ticks(0, 8.5, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(ticks(2.991, 3.028, 4)).toEqual([2.99, 3, 3.01, 3.02, 3.03]);
  expect(ticks(5, 5, 4)).toEqual([5]);
  expect(timeTicks(0, 86_400_000, 9).map((one) => one / 3_600_000)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24]);
  expect(place(5, 0, 10, 100, 0)).toBe(50);
  expect(place(5, 5, 5, 0, 100)).toBe(50);
  expect([1234567, 2e12, 0.00001, 0].map(numberLabel)).toEqual(["1,234,567", "2.0e12", "1.0e-5", "0"]);
});

test("a chart without a wish draws a number over names, and keeps of a wish what the result has", () => {
  const types = ["UUID", "VARCHAR", "BIGINT", "DOUBLE"];
  const fields = ["id", "model", "seed", "cost"];
  expect(complete({}, fields, types)).toEqual({ draw: "bar", x: "model", y: "cost", how: "mean", by: "" });
  expect(complete({ draw: "line", x: "cost", y: "gone", by: "model" }, fields, types)).toEqual({ draw: "line", x: "cost", y: "seed", how: "mean", by: "model" });
  expect(complete({}, ["a"], ["VARCHAR"])).toEqual({ draw: "bar", x: "a", y: "", how: "count", by: "" });
});

test("the statement as Python", () => {
  expect(asPython("select $a", { a: null, b: [true, "x"] })).toBe('query = Query(wb, """select $a""")\nresult = query.run(a=None, b=[True, "x"]).result()\nresult.df()');
  expect(asPython('select "a"', {})).toContain('Query(wb, "select \\"a\\"")');
});
