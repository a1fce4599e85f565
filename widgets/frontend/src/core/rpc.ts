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
/** A message above about 10 MB ends the kernel's websocket. */
const PIECE_BYTES = 1_000_000;
/** Pieces of an upload on their way at once: enough to keep the line busy, few enough to stay below the server's limit. */
const PIECES_AT_ONCE = 4;

export class KernelError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** What an operation answered: JSON, and bytes beside it. */
export interface Answer<T> {
  data: T;
  buffers: DataView[];
}

interface Pending {
  message: { id: string };
  buffers: ArrayBuffer[];
  /** When it was first asked, and when it was last sent. */
  askedAt: number;
  sentAt: number;
  resolve(answer: Answer<any>): void;
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
  /** Takes what the kernel hints at: it may be lost, and it is not kept. */
  onHint: (data: any, buffers: DataView[]) => void = () => {};
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

  /** Ask the kernel to do `op`. Resolves with its answer (bytes where it answers with a buffer alone). */
  async call<T = unknown>(op: string, args: Record<string, unknown> = {}): Promise<T> {
    const { data, buffers } = await this.ask(op, args);
    return (buffers.length > 0 ? buffers[0] : data) as T;
  }

  /** The same, with everything that was answered; `buffers` go along with the request. */
  ask<T = unknown>(op: string, args: Record<string, unknown> = {}, buffers: ArrayBuffer[] = []): Promise<Answer<T>> {
    const id = `${this.#name}.${this.#count++}`;
    return new Promise<Answer<T>>((resolve, reject) => {
      const message = { k: "req", id, op, args };
      const now = performance.now();
      this.#pending.set(id, { message, buffers, askedAt: now, sentAt: now, resolve, reject });
      this.#timer ??= setInterval(this.#check, CHECK_MS);
      this.#send(message, buffers);
    });
  }

  /** Send a file in pieces. Resolves with the id under which an operation can take it. */
  async upload(content: ArrayBuffer, onProgress: (share: number) => void = () => {}): Promise<string> {
    const upload = `${this.#name}.u${this.#count++}`;
    const pieces = Math.max(1, Math.ceil(content.byteLength / PIECE_BYTES));
    let next = 0;
    let done = 0;
    const one = async (): Promise<void> => {
      while (next < pieces) {
        const index = next++;
        await this.ask("upload", { upload, index, pieces }, [content.slice(index * PIECE_BYTES, (index + 1) * PIECE_BYTES)]);
        onProgress(++done / pieces);
      }
    };
    await Promise.all(Array.from({ length: Math.min(PIECES_AT_ONCE, pieces) }, one));
    return upload;
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

  #send(message: object, buffers: ArrayBuffer[] = []): void {
    try {
      this.model.send(message, undefined, buffers);
      this.#cut = false;
    } catch {
      this.#cut = true; // JupyterLab throws when the comm's kernel is gone for good
    }
  }

  #onMessage = (message: any, buffers: DataView[]): void => {
    this.#heardAt = performance.now();
    if (message?.k === "res") this.#onAnswer(message, buffers);
    else if (message?.k === "ev") this.#onEvent(message);
    else if (message?.k === "hint") this.onHint(message.data, buffers);
  };

  #onAnswer(message: any, buffers: DataView[]): void {
    const waiting = this.#pending.get(message.id);
    if (!waiting) return; // another view's
    this.#pending.delete(message.id);
    this.#check();
    if (message.error) waiting.reject(new KernelError(message.error.code, message.error.message));
    else waiting.resolve({ data: message.data, buffers: buffers ?? [] });
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
        this.#send(waiting.message, waiting.buffers);
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
