import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Rpc } from "../src/core/rpc";
import { FakeModel } from "./fake";

let kernel: FakeModel;
let heard: unknown[];
let rpc: Rpc;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "performance"] });
  kernel = new FakeModel();
  heard = [];
  rpc = new Rpc(kernel.model, (data) => heard.push(data));
});
afterEach(() => {
  rpc.dispose();
  vi.useRealTimers();
});

async function connect(seq = 0): Promise<void> {
  const started = rpc.start();
  kernel.answer({ seq, state: "first" });
  await started;
}

test("a call gets its own answer, whatever the order", async () => {
  const first = rpc.call("one");
  const second = rpc.call("two");
  kernel.answer("b");
  kernel.answer("a", 1);
  expect(await first).toBe("a");
  expect(await second).toBe("b");
});

test("an error of the kernel rejects with its code and words", async () => {
  const call = rpc.call("ask");
  kernel.say({ k: "res", id: kernel.sent[0].id, error: { code: "CONFLICT", message: "An answer is being written" } });
  await expect(call).rejects.toMatchObject({ code: "CONFLICT", message: "An answer is being written" });
});

test("a silent kernel is waited for after a second, lost after five, and back with its answer", async () => {
  const call = rpc.call("ask");
  expect(rpc.link.value).toBe("ok");
  vi.advanceTimersByTime(1_250);
  expect(rpc.link.value).toBe("waiting");
  vi.advanceTimersByTime(4_000);
  expect(rpc.link.value).toBe("lost");
  expect(rpc.waitedSeconds.value).toBe(5);
  kernel.answer("late");
  expect(await call).toBe("late");
  expect(rpc.link.value).toBe("ok");
});

test("a kernel that still streams is not lost, only waited for", async () => {
  await connect();
  void rpc.call("stop");
  for (let seq = 1; seq <= 7; seq++) {
    vi.advanceTimersByTime(1_000);
    kernel.event(seq, seq);
  }
  expect(rpc.link.value).toBe("waiting");
});

test("a comm that is cut is told at once", () => {
  kernel.send = () => {
    throw new Error("Cannot send");
  };
  void rpc.call("ask");
  vi.advanceTimersByTime(250);
  expect(rpc.link.value).toBe("lost");
});

test("a request without an answer is sent again under its id", async () => {
  const call = rpc.call("ask", { text: "hello" });
  vi.advanceTimersByTime(2_000);
  expect(kernel.sent).toHaveLength(2);
  expect(kernel.sent[1]).toEqual(kernel.sent[0]);
  kernel.answer("once");
  expect(await call).toBe("once");
  vi.advanceTimersByTime(10_000);
  expect(kernel.sent).toHaveLength(2);
});

test("when events cease the page asks whether that was the last one", async () => {
  await connect();
  kernel.event(1, "a");
  vi.advanceTimersByTime(2_000);
  expect(kernel.sent.at(-1).op).toBe("alive");
});

test("events in order are handed on, once", async () => {
  await connect();
  kernel.event(1, "a");
  kernel.event(1, "a");
  kernel.event(2, "b");
  expect(heard).toEqual(["first", "a", "b"]);
});

test("a gap asks for the state once and drops events until it is there", async () => {
  await connect();
  kernel.event(1, "a");
  kernel.event(4, "d");
  kernel.event(5, "e");
  expect(kernel.sent.filter((message) => message.op === "sync")).toMatchObject([{ args: { seen: 1 } }]);
  kernel.answer({ seq: 5, state: "whole" });
  await vi.waitFor(() => expect(heard).toEqual(["first", "a", "whole"]));
  await Promise.resolve();
  kernel.event(6, "f");
  expect(heard.at(-1)).toBe("f");
});

test("a lost last event is found by the ping while something runs", async () => {
  await connect();
  rpc.watch(true);
  vi.advanceTimersByTime(2_000);
  expect(kernel.sent.at(-1).op).toBe("alive");
  kernel.answer({ seq: 3 });
  await vi.waitFor(() => expect(kernel.sent.at(-1).op).toBe("sync"));
});

test("answers for another view are left alone", async () => {
  const call = rpc.call("one");
  kernel.say({ k: "res", id: "other.0", data: "not mine" });
  kernel.answer("mine");
  expect(await call).toBe("mine");
});

test("bytes come as they are", async () => {
  const call = rpc.call<DataView>("media");
  const bytes = new DataView(new ArrayBuffer(3));
  kernel.say({ k: "res", id: kernel.sent[0].id }, [bytes]);
  expect(await call).toBe(bytes);
});

test("an answer brings its data and its bytes", async () => {
  const asked = rpc.ask<string[]>("thumbs", { ids: ["a"] });
  const bytes = new DataView(new ArrayBuffer(3));
  kernel.say({ k: "res", id: kernel.sent[0].id, data: ["a"] }, [bytes]);
  expect(await asked).toEqual({ data: ["a"], buffers: [bytes] });
});

test("a file goes in pieces of a megabyte, four at once, and is named by its id", async () => {
  const shares: number[] = [];
  const upload = rpc.upload(new ArrayBuffer(5_500_000), (share) => shares.push(share));
  const pieces = (): any[] => kernel.sent.filter((message) => message.op === "upload");
  expect(pieces()).toHaveLength(4);
  for (let index = 0; index < 6; index++) {
    kernel.say({ k: "res", id: pieces()[index].id, data: {} });
    await vi.waitFor(() => expect(shares).toHaveLength(index + 1));
    await Promise.resolve();
  }
  expect(await upload).toBe(pieces()[0].args.upload);
  expect(pieces().map(({ args }) => [args.index, args.pieces])).toEqual([0, 1, 2, 3, 4, 5].map((index) => [index, 6]));
  expect(kernel.buffers.map((buffers) => buffers[0]!.byteLength)).toEqual([1e6, 1e6, 1e6, 1e6, 1e6, 5e5]);
  expect(shares.at(-1)).toBe(1);
});

test("a hint is handed on at once, without a number", async () => {
  const hints: unknown[] = [];
  rpc.onHint = (data, buffers) => hints.push([data, buffers.length]);
  await connect();
  kernel.say({ k: "hint", data: { of: "run" } }, [new DataView(new ArrayBuffer(1))]);
  expect(hints).toEqual([[{ of: "run" }, 1]]);
});

describe("a hello that the pane's frame has said", () => {
  const later = (): Rpc => (rpc = new Rpc(kernel.model, (data, buffers) => heard.push([data, buffers.length])));

  test("is not said again by the pane, which hears its answer", async () => {
    const frame = rpc;
    const early = frame.greet();
    const started = later().start(early);
    frame.dispose();
    kernel.say({ k: "res", id: early.id, data: { seq: 3, state: "first" } }, [new DataView(new ArrayBuffer(1))]);
    await started;
    expect(heard).toEqual([["first", 1]]);
    expect(kernel.sent.map(({ op }) => op)).toEqual(["hello"]);
  });

  test("is sent again under its id when no answer comes", () => {
    const early = rpc.greet();
    rpc.dispose();
    void later().start(early);
    vi.advanceTimersByTime(2_000);
    expect(kernel.sent.map(({ op, id }) => [op, id])).toEqual([["hello", early.id], ["hello", early.id]]);
  });

  test("may be answered before the pane is there, which then asks for what it missed", async () => {
    const early = rpc.greet();
    kernel.answer({ seq: 3, state: "first" });
    await Promise.resolve();
    rpc.dispose();
    kernel.event(4, "past everybody");
    await later().start(early);
    expect(heard).toEqual([["first", 0]]);
    kernel.answer({ seq: 4 }); // of `alive`
    await vi.waitFor(() => expect(kernel.sent.at(-1).op).toBe("sync"));
    kernel.answer({ seq: 4, state: "second" });
    await vi.waitFor(() => expect(heard.at(-1)).toEqual(["second", 0]));
  });
});
