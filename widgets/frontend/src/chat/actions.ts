import { computed, signal, type Signal } from "@preact/signals";
import { loadAsset, type Assets } from "../core/assets";
import { copyText } from "../core/clipboard";
import type { Rpc } from "../core/rpc";
import { Attachments } from "./attachments";
import { insertBelow } from "./insert";
import { SendingKey } from "./sending";
import type { Choice, Conversation, Entry } from "./state";

/** What the parts of a pane can do, and the little that only this view knows. */
export class Actions {
  /** From the click on Send until the kernel took the message over. */
  readonly sending = signal(false);
  /** Why the kernel refused the last thing; empty when it did not. */
  readonly refused = signal("");
  /** The question that is being edited. */
  readonly editing = signal<string | null>(null);
  /** The turn whose deletion is being asked about. */
  readonly deleting = signal<string | null>(null);
  readonly drawer = signal(false);
  readonly markdown = signal<Assets["markdown"] | null>(null);
  readonly attachments: Attachments;
  readonly sendingKey = new SendingKey();
  readonly busy = computed(() => this.sending.value || this.chat.live.value);
  readonly off = computed(() => this.rpc.link.value === "lost");
  #media = new Map<string, Promise<string>>();

  constructor(
    readonly chat: Conversation,
    readonly rpc: Rpc,
    readonly draft: Signal<string>,
    private readonly manager: unknown,
    private readonly el: HTMLElement,
  ) {
    this.attachments = new Attachments(rpc);
  }

  dispose(): void {
    this.attachments.clear();
    for (const url of this.#media.values()) void url.then((known) => URL.revokeObjectURL(known), () => {});
  }

  async loadMarkdown(): Promise<void> {
    this.markdown.value = await loadAsset(this.rpc, "markdown");
  }

  /** Ask the kernel for something; its refusal stands above the log. Says whether it was done. */
  async run(op: string, args: Record<string, unknown> = {}): Promise<boolean> {
    this.refused.value = "";
    try {
      await this.rpc.call(op, args);
      return true;
    } catch (error) {
      this.refused.value = (error as Error).message;
      return false;
    }
  }

  /** The same for what makes an answer: Stop stands where Send was from this moment. */
  async begin(op: string, args: Record<string, unknown>): Promise<boolean> {
    this.sending.value = true;
    try {
      return await this.run(op, args);
    } finally {
      this.sending.value = false;
    }
  }

  async send(): Promise<void> {
    const text = this.draft.peek();
    const done = await this.begin("ask", { text, attachments: this.attachments.paths.peek() });
    if (!done) return;
    if (this.draft.peek() === text) this.draft.value = ""; // kept until the kernel has it
    this.attachments.clear();
  }

  stop = (id?: string): void => void this.rpc.call("stop", id ? { id } : {});

  choose = ({ provider, model, profile_id }: Choice): void => void this.run("choose", { provider, model, profile_id });

  compare(models: Choice[]): void {
    void this.run("compared", { models: models.map(({ provider, model, profile_id }) => ({ provider, model, profile_id })) });
  }

  /** Switch the last fork (or the one at `turn`) to the version before or after. */
  switchBranch(step: number, turn?: Entry): void {
    const branches = this.chat.branches.peek();
    const fork = turn && branches.alternatives(turn).length > 1 ? turn : branches.lastFork(this.chat.shown.peek());
    const next = fork && branches.beside(fork, step);
    if (next) void this.run("show", { id: next.id });
  }

  /** Put code into a new cell below this one; elsewhere than in JupyterLab it is copied. Says what happened. */
  async insert(code: string): Promise<string> {
    if (insertBelow(this.manager, this.el, code)) return "Inserted";
    return (await copyText(code)) ? "Copied: paste it into a cell" : "Not possible here";
  }

  /** The address of a kept picture, fetched once. */
  media(path: string): Promise<string> {
    const known = this.#media.get(path);
    if (known) return known;
    const fetched = this.rpc.call<DataView<ArrayBuffer>>("media", { path }).then((bytes) => URL.createObjectURL(new Blob([bytes])));
    this.#media.set(path, fetched);
    fetched.catch(() => this.#media.delete(path));
    return fetched;
  }
}
