import type { AnyModel } from "@anywidget/types";

/** The widget's model with a kernel that the test plays. */
export class FakeModel {
  sent: any[] = [];
  /** What went along with each request that carried bytes. */
  buffers: ArrayBuffer[][] = [];
  traits: Record<string, unknown> = {};
  #listeners = new Map<string, Set<(...args: any[]) => void>>();

  get = (name: string): unknown => this.traits[name];
  set = (name: string, value: unknown): void => void (this.traits[name] = value);
  save_changes = (): void => {};
  send = (message: unknown, _callbacks?: unknown, buffers: ArrayBuffer[] = []): void => {
    this.sent.push(message);
    if (buffers.length > 0) this.buffers.push(buffers);
  };
  on = (name: string, listener: (...args: any[]) => void): void => {
    this.#listeners.set(name, (this.#listeners.get(name) ?? new Set()).add(listener));
  };
  off = (name: string, listener: (...args: any[]) => void): void => void this.#listeners.get(name)?.delete(listener);

  say(message: unknown, buffers: DataView[] = []): void {
    this.#listeners.get("msg:custom")?.forEach((listener) => listener(message, buffers));
  }

  /** The kernel has changed a trait. */
  change(name: string): void {
    this.#listeners.get(`change:${name}`)?.forEach((listener) => listener());
  }

  /** Answer the last request, or the one before it. */
  answer(data: unknown, back = 0): void {
    this.say({ k: "res", id: this.sent.at(-1 - back).id, data });
  }

  event(seq: number, data: unknown): void {
    this.say({ k: "ev", seq, data });
  }

  get model(): AnyModel {
    return this as unknown as AnyModel;
  }
}
