import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadAsset, OTHERS_MS } from "../src/core/assets";
import { Rpc } from "../src/core/rpc";
import { FakeModel } from "./fake";

const SOURCE = new DataView(new TextEncoder().encode("export const name = 'it'").buffer);

beforeEach(() => {
  (globalThis as any).spoonAssets = undefined;
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout", "performance"] });
  vi.spyOn(URL, "createObjectURL").mockReturnValue("data:text/javascript,export const name = 'it'"); // Node imports no blob
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function view(): { kernel: FakeModel; rpc: Rpc; asked(): number; answer(): void } {
  const kernel = new FakeModel();
  const asked = () => new Set(kernel.sent.filter(({ op }) => op === "asset").map(({ id }) => id));
  const answer = () => kernel.say({ k: "res", id: [...asked()].at(-1) }, [SOURCE]);
  return { kernel, rpc: new Rpc(kernel.model, () => {}), asked: () => asked().size, answer };
}

test("what one view fetched is there for all of the page", async () => {
  const [one, other] = [view(), view()];
  const loads = [loadAsset(one.rpc, "markdown"), loadAsset(one.rpc, "markdown"), loadAsset(other.rpc, "markdown")];
  one.answer();
  for (const load of loads) expect(await load).toMatchObject({ name: "it" });
  expect([one.asked(), other.asked()]).toEqual([1, 0]);
});

test("a view that is gone before its answer leaves no other view waiting", async () => {
  const [gone, other, third] = [view(), view(), view()];
  void loadAsset(gone.rpc, "markdown");
  gone.rpc.dispose();
  const loads = [loadAsset(other.rpc, "markdown"), loadAsset(third.rpc, "markdown")];
  await vi.advanceTimersByTimeAsync(OTHERS_MS);
  expect(other.asked()).toBe(1);
  other.answer();
  for (const load of loads) expect(await load).toMatchObject({ name: "it" });
  expect([gone.asked(), third.asked()]).toEqual([1, 0]);
});

test("a failed load is forgotten: the next view asks again", async () => {
  const [one, other] = [view(), view()];
  const failed = loadAsset(one.rpc, "markdown");
  one.kernel.say({ k: "res", id: one.kernel.sent[0].id, error: { code: "NOT_FOUND", message: "gone" } });
  await expect(failed).rejects.toThrow("gone");
  const load = loadAsset(other.rpc, "markdown");
  await vi.advanceTimersByTimeAsync(0);
  other.answer();
  expect(await load).toMatchObject({ name: "it" });
});
