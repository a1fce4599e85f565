import { useSignal, useSignalEffect } from "@preact/signals";
import type { TargetedDragEvent, TargetedKeyboardEvent } from "preact";
import { useRef } from "preact/hooks";
import { CopyButton, LinkBanner } from "../core/parts";
import type { Actions } from "./actions";
import { Composer } from "./composer";
import { Drawer } from "./drawer";
import { toMarkdown } from "./export";
import { FirstRun } from "./first";
import { Head, KeysDialog, Notices } from "./head";
import { Ledger } from "./ledger";
import { Log } from "./log";
import type { Choice } from "./state";

interface Props {
  at: Actions;
  height: number;
}

export function ChatView({ at, height }: Props) {
  const { chat, rpc } = at;
  const keys = useRef<() => void>(() => {});
  const dropping = useSignal(false);
  useSignalEffect(() => rpc.watch(chat.live.value || chat.pull.value !== null));
  const onDrag = (event: TargetedDragEvent<HTMLElement>): void => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    dropping.value = event.type === "dragover";
    if (event.type === "drop") at.attachments.add([...event.dataTransfer.files]);
  };
  return (
    <section
      class={`pane${dropping.value ? " dropping" : ""}`}
      aria-label="Chat"
      style={{ height: `${height}px` }}
      onKeyDown={(event) => onKey(event, at, keys.current)}
      onFocusIn={() => void rpc.probe()}
      onDragOver={onDrag}
      onDragLeave={onDrag}
      onDrop={onDrag}
    >
      <Head at={at} keys={() => keys.current()} />
      <LinkBanner rpc={rpc}>
        <CopyButton label="Copy conversation" look="" text={() => toMarkdown(chat)} />
      </LinkBanner>
      <Notices at={at} />
      <Log at={at}>
        <Beginning at={at} />
      </Log>
      {at.drawer.value && <Drawer at={at} />}
      <Composer at={at} />
      <Ledger at={at} />
      <KeysDialog at={at} opened={(open) => (keys.current = open)} />
    </section>
  );
}

function onKey(event: TargetedKeyboardEvent<HTMLElement>, at: Actions, keys: () => void): void {
  if (event.key === "Escape" && at.busy.peek()) at.stop();
  if (event.key === "/" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    keys();
  }
  const step = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
  const target = event.target as HTMLElement;
  const typing = target instanceof HTMLTextAreaElement && target.value !== ""; // there Alt and arrows go by words
  if (!event.altKey || step === 0 || typing) return;
  event.preventDefault(); // else the browser goes back a page
  const id = target.closest<HTMLElement>("[data-turn]")?.dataset.turn;
  at.switchBranch(step, id ? at.chat.branches.peek().get(id) : undefined);
}

/** What stands in the log before the first turn. */
function Beginning({ at }: { at: Actions }) {
  const { chat, rpc } = at;
  /** Whether the models were listed once: later looks leave the first-run offers where they are. */
  const asked = useRef(false);
  const { choice, choices, looking } = chat.models.value;
  if (rpc.met.value && !looking) asked.current = true;
  if (chat.shown.value.length > 0) return null;
  if (!rpc.met.value || !chat.about.value.loaded) return <Loading what="Opening the conversation…" />;
  if (choice) return <Empty choice={choice} />;
  return looking && choices.length === 0 && !asked.current ? <Loading what="Looking for models…" /> : <FirstRun chat={chat} rpc={rpc} />;
}

const Loading = ({ what }: { what: string }) => (
  <div class="first loading" role="status">
    <p>{what}</p>
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
