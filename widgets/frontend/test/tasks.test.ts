import { expect, test } from "vitest";
import { TaskList, type TaskRow } from "../src/tasks/state";

const row = (id: string, facts: Partial<TaskRow> = {}): TaskRow => ({
  id,
  kind: "task",
  name: id,
  where: "",
  left_s: null,
  status: "pending",
  progress: 0,
  error: null,
  results: [],
  ...facts,
});

test("a row replaces the one with its id and keeps its place", () => {
  const list = new TaskList();
  list.take({ tasks: [row("a"), row("b")] });
  list.take({ tasks: [row("a", { status: "complete" })] });
  expect(list.rows.value.map(({ id, status }) => [id, status])).toEqual([
    ["a", "complete"],
    ["b", "pending"],
  ]);
  expect(list.ended.value).toBe(1);
});

test("failed and cancelled tasks have ended too", () => {
  const list = new TaskList();
  list.take({ tasks: [row("a", { status: "failed" }), row("b", { status: "gone" }), row("c", { status: "running" })] });
  expect(list.ended.value).toBe(2);
  expect(list.failed.value).toBe(1);
});
