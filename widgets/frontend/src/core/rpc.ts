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

interface Synced {
  seq: number;
  state: unknown;
}

/** A hello that a pane's frame has said while it fetches the pane, and its answer once it is there. */
export interface Early {
  id: string;
  answer?: Answer<Synced>;
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
    private readonly onData: (data: unknown, buffers: DataView[]) => void,
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
    const message = { k: "req", id: this.#newId(), op, args };
    const answer = this.#expect<T>(message, buffers);
    this.#send(message, buffers);
    return answer;
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

  /** Say hello and take the state over; go on from an `early` one if there was one. */
  async start(early?: Early): Promise<void> {
    await this.#sync("hello", early);
    this.met.value = true;
    if (early?.answer) void this.probe(); // events since that answer went past this view
  }

  /** Say hello for a view that is still to come: its `start` takes this over. */
  greet(): Early {
    const early: Early = { id: this.#newId() };
    const message = { k: "req", id: early.id, op: "hello", args: {} };
    this.#expect<Synced>(message).then((answer) => (early.answer = answer), () => {}); // the view asks again, and hears why
    this.#send(message);
    return early;
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

  #newId(): string {
    return `${this.#name}.${this.#count++}`;
  }

  /** Wait for the answer to a message, sending it again when it stays away. */
  #expect<T>(message: { id: string }, buffers: ArrayBuffer[] = []): Promise<Answer<T>> {
    return new Promise<Answer<T>>((resolve, reject) => {
      const now = performance.now();
      this.#pending.set(message.id, { message, buffers, askedAt: now, sentAt: now, resolve, reject });
      this.#timer ??= setInterval(this.#check, CHECK_MS);
    });
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
    this.onData(message.data, []);
  }

  async #sync(op: "hello" | "sync", early?: Early): Promise<void> {
    if (this.#syncing) return;
    this.#syncing = true;
    try {
      const asked = early && (early.answer ?? this.#expect<Synced>({ k: "req", id: early.id, op, args: {} } as { id: string }));
      const { data, buffers } = await (asked ?? this.ask<Synced>(op, op === "sync" ? { seen: this.#seq } : {}));
      this.#seq = data.seq;
      this.onData(data.state, buffers);
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
