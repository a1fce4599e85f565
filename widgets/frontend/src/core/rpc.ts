import { signal } from "@preact/signals";
import type { AnyModel } from "@anywidget/types";

/** `waiting`: no answer for a second. `lost`: nothing at all from the kernel for five. */
export type Link = "ok" | "waiting" | "lost";
export const WAITING_MS = 1_000;
export const LOST_MS = 5_000;
const CHECK_MS = 250;
export const PING_MS = 2_000;
/** The server may have dropped the answer; the kernel does a request once, however often it comes. */
const RESEND_MS = 2_000;

export class KernelError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

interface Pending {
  message: { id: string };
  /** When it was first asked, and when it was last sent. */
  askedAt: number;
  sentAt: number;
  resolve(answer: unknown): void;
  reject(error: Error): void;
}

interface Synced {
  seq: number;
  state: unknown;
}

/**
 * One view's talk with the kernel over the widget's comm; the protocol is in `_base.py`.
 *
 * Requests never time out by themselves: a busy kernel answers late, and then everything goes on. What the user sees is
 * `link`. Events are numbered; on a gap the whole state is asked for, and events until then are dropped.
 */
export class Rpc {
  readonly link = signal<Link>("ok");
  readonly waitedSeconds = signal(0);
  /** Whether the kernel has ever answered this view. */
  readonly met = signal(false);
  #pending = new Map<string, Pending>();
  #name = crypto.getRandomValues(new Uint32Array(2)).join("-");
  #count = 0;
  #heardAt = performance.now();
  #seq = -1;
  #syncing = false;
  #timer: ReturnType<typeof setInterval> | undefined;
  #cut = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly model: AnyModel,
    private readonly onData: (data: unknown) => void,
  ) {
    model.on("msg:custom", this.#onMessage);
  }

  /** Ask the kernel to do `op`. Resolves with its answer (bytes where it answers with a buffer). */
  call<T = unknown>(op: string, args: Record<string, unknown> = {}): Promise<T> {
    const id = `${this.#name}.${this.#count++}`;
    return new Promise<T>((resolve, reject) => {
      const message = { k: "req", id, op, args };
      const now = performance.now();
      this.#pending.set(id, { message, askedAt: now, sentAt: now, resolve: resolve as (answer: unknown) => void, reject });
      this.#timer ??= setInterval(this.#check, CHECK_MS);
      this.#send(message);
    });
  }

  /** Say hello and take the state over. */
  async start(): Promise<void> {
    await this.#sync("hello");
    this.met.value = true;
  }

  /** While something runs, make sure that the kernel is there and that no last event was lost. */
  watch(on: boolean): void {
    if (on === (this.#ping !== undefined)) return;
    if (on) this.#ping = setInterval(() => void this.probe(), PING_MS);
    else {
      clearInterval(this.#ping);
      this.#ping = undefined;
    }
  }

  /** One ping, unless something is being waited for already. */
  async probe(): Promise<void> {
    if (this.#pending.size > 0 || !this.met.peek()) return;
    const { seq } = await this.call<{ seq: number }>("alive");
    if (seq > this.#seq) await this.#sync("sync");
  }

  dispose(): void {
    this.model.off("msg:custom", this.#onMessage);
    clearInterval(this.#timer);
    clearTimeout(this.#quiet);
    this.watch(false);
    this.#pending.clear();
  }

  #send(message: object): void {
    try {
      this.model.send(message);
      this.#cut = false;
    } catch {
      this.#cut = true; // JupyterLab throws when the comm's kernel is gone for good
    }
  }

  #onMessage = (message: any, buffers: DataView[]): void => {
    this.#heardAt = performance.now();
    if (message?.k === "res") this.#onAnswer(message, buffers);
    else if (message?.k === "ev") this.#onEvent(message);
  };

  #onAnswer(message: any, buffers: DataView[]): void {
    const waiting = this.#pending.get(message.id);
    if (!waiting) return; // another view's
    this.#pending.delete(message.id);
    this.#check();
    if (message.error) waiting.reject(new KernelError(message.error.code, message.error.message));
    else waiting.resolve(buffers.length > 0 ? buffers[0] : message.data);
  }

  #onEvent(message: { seq: number; data: unknown }): void {
    clearTimeout(this.#quiet); // when events cease, ask once whether that was the last one
    this.#quiet = setTimeout(() => void this.probe(), PING_MS);
    if (this.#seq < 0 || this.#syncing || message.seq <= this.#seq) return;
    if (message.seq > this.#seq + 1) {
      void this.#sync("sync");
      return;
    }
    this.#seq = message.seq;
    this.onData(message.data);
  }

  async #sync(op: "hello" | "sync"): Promise<void> {
    if (this.#syncing) return;
    this.#syncing = true;
    try {
      const { seq, state } = await this.call<Synced>(op, op === "sync" ? { seen: this.#seq } : {});
      this.#seq = seq;
      this.onData(state);
    } finally {
      this.#syncing = false;
    }
  }

  #check = (): void => {
    const now = performance.now();
    for (const waiting of this.#pending.values())
      if (now - waiting.sentAt >= RESEND_MS) {
        waiting.sentAt = now;
        this.#send(waiting.message);
      }
    const oldest = Math.min(...[...this.#pending.values()].map((waiting) => waiting.askedAt));
    const waited = this.#pending.size > 0 ? now - oldest : 0;
    this.waitedSeconds.value = Math.floor(waited / 1000);
    const silent = Math.min(waited, now - this.#heardAt);
    this.link.value = this.#cut || silent >= LOST_MS ? "lost" : waited >= WAITING_MS ? "waiting" : "ok";
    if (this.#pending.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  };
}
