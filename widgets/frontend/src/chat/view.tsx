import { useComputed, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button, CopyButton, Icon, IconButton, LinkBanner, State } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { Composer } from "./composer";
import { FirstRun } from "./first";
import type { Choice, Conversation } from "./state";
import { TurnView } from "./turn";

interface Props {
  chat: Conversation;
  rpc: Rpc;
  draft: Signal<string>;
  height: number;
}

export function ChatView({ chat, rpc, draft, height }: Props) {
  /** From the click on Send until the kernel took the message over. */
  const sending = useSignal(false);
  const refused = useSignal("");
  const busy = useComputed(() => sending.value || chat.live.value);
  /** Whether the models were listed once: later looks leave the first-run offers where they are. */
  const asked = useRef(false);
  const off = rpc.link.value === "lost";

  const run = async (op: string, args: Record<string, unknown> = {}): Promise<boolean> => {
    refused.value = "";
    sending.value = true;
    try {
      await rpc.call(op, args);
      return true;
    } catch (error) {
      refused.value = (error as Error).message;
      return false;
    } finally {
      sending.value = false;
    }
  };
  const send = async (): Promise<void> => {
    const text = draft.peek();
    if ((await run("ask", { text })) && draft.peek() === text) draft.value = ""; // kept until the kernel has it
  };
  const stop = (): void => void rpc.call("stop");
  const choose = ({ provider, model, profile_id }: Choice): void =>
    void rpc.call("choose", { provider, model, profile_id }).catch((error: Error) => (refused.value = error.message));

  useSignalEffect(() => rpc.watch(chat.live.value || chat.pull.value !== null));

  const searching = chat.looking.value && chat.choices.value.length === 0 && !asked.current;
  if (rpc.met.value && !chat.looking.value) asked.current = true;
  const first = rpc.met.value && chat.turns.value.length === 0 && chat.choice.value === null;
  return (
    <section
      class="pane"
      aria-label="Chat"
      style={{ height: `${height}px` }}
      onKeyDown={(event) => {
        if (event.key === "Escape" && busy.value) stop();
      }}
      onFocusIn={() => void rpc.probe()}
    >
      <Head chat={chat} clear={() => void run("clear")} busy={busy.value} />
      <LinkBanner rpc={rpc}>
        <CopyButton label="Copy conversation" look="" text={() => chat.markdown()} />
      </LinkBanner>
      {refused.value && (
        <div class="banner danger" role="alert">
          <Icon name="failed" />
          <span class="text">{refused.value}</span>
          <IconButton icon="close" name="Dismiss" onClick={() => (refused.value = "")} />
        </div>
      )}
      <Log chat={chat} retry={(id) => void run("retry", { id })}>
        {!rpc.met.value || (first && searching) ? (
          <Loading />
        ) : first ? (
          <FirstRun chat={chat} rpc={rpc} />
        ) : chat.turns.value.length === 0 && chat.choice.value ? (
          <Empty choice={chat.choice.value} />
        ) : null}
      </Log>
      <Composer chat={chat} draft={draft} busy={busy.value} off={off} send={() => void send()} stop={stop} choose={choose} />
      <Ledger chat={chat} />
    </section>
  );
}

function Head({ chat, clear, busy }: { chat: Conversation; clear: () => void; busy: boolean }) {
  const count = chat.turns.value.length;
  return (
    <header class="head">
      <h2>Chat</h2>
      <span class="of">{count === 0 ? "new conversation" : `${count} turns`}</span>
      <span class="grow" />
      {count > 0 && (
        <>
          <CopyButton label="Copy all" text={() => chat.markdown()} />
          <Button icon="plus" look="plain" disabled={busy} onClick={clear}>
            New
          </Button>
        </>
      )}
    </header>
  );
}

const Loading = () => (
  <div class="first loading" role="status">
    <p>Looking for models…</p>
    <i class="skeleton" style="width:62%" />
    <i class="skeleton" style="width:81%" />
    <i class="skeleton" style="width:48%" />
  </div>
);

const Empty = ({ choice }: { choice: Choice }) => (
  <div class="first">
    <h3>Ask {choice.model ?? choice.provider}</h3>
    <p>{choice.model === "smollm2:135m" ? "A very small model: good for trying Spoon, not for facts." : choice.where}</p>
  </div>
);

/** The turns. Follows the text while the reader is at its end, and else says that it goes on below. */
function Log({ chat, retry, children }: { chat: Conversation; retry: (id: string) => void; children: preact.ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const inside = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const top = useRef(0);
  const below = useSignal(false);
  const toEnd = (): void => {
    following.current = true;
    below.value = false;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => {
      if (chat.turns.peek().length === 0) return;
      if (following.current) toEnd();
      else below.value = true;
    });
    if (inside.current) watcher.observe(inside.current);
    return () => watcher.disconnect();
  }, []);
  useSignalEffect(() => {
    if (chat.turns.value.length > 0) toEnd(); // a new question: the reader wants to see its answer
  });
  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    if (scrollTop < top.current) following.current = false; // only the reader scrolls up; text may have grown since
    if (scrollHeight - scrollTop - clientHeight < 24) {
      following.current = true;
      below.value = false;
    }
    top.current = scrollTop;
  };
  const turns = chat.turns.value;
  return (
    <div class="log-frame">
      <div ref={box} class="scroll log" role="log" aria-live="off" aria-label="Conversation" data-ready={chat.choice.value !== null} tabindex={0} onScroll={onScroll}>
        <div ref={inside}>
          {children}
          {turns.map((turn, index) => (
            <TurnView key={turn.id} turn={turn} last={index === turns.length - 1} retry={() => retry(turn.id)} />
          ))}
        </div>
      </div>
      {below.value && (
        <Button icon="down" look="below" onClick={toEnd}>
          New text below
        </Button>
      )}
    </div>
  );
}

const ENDS = { done: "Answer complete", stopped: "Answer stopped", failed: "The answer failed" } as const;

/** What the whole conversation took. Screen readers hear the end of an answer here, not every token. */
function Ledger({ chat }: { chat: Conversation }) {
  const facts = chat.turns.value.map((turn) => turn.facts.value);
  const sum = (name: "prompt_tokens" | "tokens"): number | null => {
    const known = facts.map((fact) => fact.counts[name]).filter((count) => count !== null);
    return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
  };
  const [input, output] = [sum("prompt_tokens"), sum("tokens")];
  const state = facts.at(-1)?.state;
  const failed = facts.filter((fact) => fact.state === "failed").length;
  if (facts.length === 0) return null;
  return (
    <footer class="ledger">
      {input !== null && (
        <span>
          <b>{input.toLocaleString("en")}</b> tokens in
        </span>
      )}
      {output !== null && (
        <span>
          <b>{output.toLocaleString("en")}</b> out
        </span>
      )}
      <span class="end">
        {state === "waiting" && <State kind="running">waiting for the first token</State>}
        {state === "writing" && <State kind="running">writing</State>}
        {failed > 0 && !chat.live.value && <State kind="failed">{failed === 1 ? "1 request failed" : `${failed} requests failed`}</State>}
      </span>
      <span class="sr" role="status">
        {state && state in ENDS ? ENDS[state as keyof typeof ENDS] : ""}
      </span>
    </footer>
  );
}
