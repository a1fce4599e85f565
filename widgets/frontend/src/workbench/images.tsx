import type { Host } from "@anywidget/types";
import { useSignal, useSignalEffect } from "@preact/signals";
import { Button, Icon } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { Offers } from "../profiles/offers";
import { Slot } from "./slot";
import { summaryWords, type Bench } from "./state";

interface Props {
  bench: Bench;
  refs: Record<string, string>;
  host: Host | undefined;
  rpc: Rpc;
  add: () => void;
  chat: () => void;
}

/** Parameters, the pictures beside them, and below them what runs. Without a ComfyUI: how to come by one. */
export function Images({ bench, refs, host, rpc, add, chat }: Props) {
  const editing = useSignal(false);
  if (bench.looked.value && bench.profile.value === null)
    return (
      <div class="scroll welcome" tabindex={0} role="group" aria-label="First steps">
        <div class="first">
          <h3>Two ways to start, no key needed</h3>
          <p>Both run on this machine. Add your own servers and keys whenever you like.</p>
          <Offers offers={bench.offers.value} rpc={rpc} first={{ label: "Make 4 images", op: "make" }} add={add} chat={chat} />
        </div>
      </div>
    );
  if (!refs.params || !refs.gallery) return <Waiting words="Opening the images" />;
  return (
    <>
      <Fold bench={bench} rpc={rpc} editing={editing} />
      <div class="bench" data-editing={editing.value ? "" : undefined}>
        <div class="side">
          <Slot id={refs.params} host={host} />
        </div>
        <div class="main">
          <Slot id={refs.gallery} host={host} />
        </div>
      </div>
      {refs.running && (
        <div class="below">
          <Slot id={refs.running} host={host} fit />
        </div>
      )}
    </>
  );
}

/** The narrow layout's one line in place of the parameters. */
function Fold({ bench, rpc, editing }: { bench: Bench; rpc: Rpc; editing: { value: boolean } }) {
  const words = useSignal("");
  const trouble = useSignal("");
  const busy = useSignal(false);
  useSignalEffect(() => {
    if (editing.value || !bench.counts.value) return; // read again after each run: a picture may have given its parameters back
    rpc.call<Record<string, string>>("summary").then(
      (values) => (words.value = summaryWords(values)),
      () => (words.value = ""),
    );
  });
  const generate = (): void => {
    busy.value = true;
    trouble.value = "";
    rpc
      .call("generate")
      .catch((error: Error) => (trouble.value = error.message))
      .finally(() => (busy.value = false));
  };
  return (
    <div class="banner fold">
      <Icon name={trouble.value ? "failed" : "options"} />
      <span class="text cut" role={trouble.value ? "alert" : undefined}>
        {trouble.value || words.value || "Parameters"}
      </span>
      <Button icon={editing.value ? "image" : "edit"} look="plain" onClick={() => (editing.value = !editing.value)}>
        {editing.value ? "Images" : "Edit"}
      </Button>
      {!editing.value && (
        <Button icon="play" look="primary" disabled={busy.value} onClick={generate}>
          Generate
        </Button>
      )}
    </div>
  );
}

export function Waiting({ words }: { words: string }) {
  return (
    <div class="wait late">
      <i class="skeleton" style="width:36%" />
      <i class="skeleton" style="width:58%" />
      <i class="skeleton" style="width:47%" />
      <p class="quiet-text small" role="status">
        {words}…
      </p>
    </div>
  );
}
