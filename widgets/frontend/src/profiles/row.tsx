import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button, Icon, IconButton, State } from "../core/parts";
import type { IconName } from "../core/icons";
import type { Rpc } from "../core/rpc";
import { healthWords, makesWords, modelsWords, type Entry } from "./state";

export const GLYPHS: Record<Entry["state"], IconName> = { unknown: "queued", testing: "running", ok: "online", failed: "failed" };

interface Props {
  entry: Entry;
  rpc: Rpc;
  edit: () => void;
}

/** One profile: what it is, whether it answers, and what can be done with it. */
export function ProfileRow({ entry, rpc, edit }: Props) {
  const asking = useSignal(false);
  const restarts = entry.name === "Simulated ComfyUI" && entry.state === "failed";
  const testing = entry.state === "testing"; // a button that is really disabled would lose the focus
  const busy = useSignal("");
  const trouble = useSignal("");
  const act = (words: string, op: string): void => {
    busy.value = words;
    trouble.value = "";
    rpc
      .call(op, { id: entry.id })
      .catch((error: Error) => (trouble.value = error.message))
      .finally(() => (busy.value = ""));
  };
  const facts = [entry.kind === "machine" ? "on this machine, no key needed" : entry.label, entry.address, makesWords(entry.makes)];
  return (
    <li class="entry" aria-label={entry.name} data-kind={entry.kind}>
      <State kind={GLYPHS[entry.state]} />
      <div class="what">
        <b>{entry.name}</b>
        <small>{facts.filter(Boolean).join(", ")}</small>
        {modelsWords(entry) && <small title={entry.models.join(", ")}>{modelsWords(entry)}</small>}
      </div>
      <p class="health" role="status">
        {healthWords(entry)}
        {entry.state === "failed" && <span class="quiet-text"> {entry.at}</span>}
      </p>
      <div class="does">
        {restarts ? (
          <Button disabled={!!busy.value} onClick={() => simulate(rpc, busy, trouble)}>
            {busy.value || "Start it again"}
          </Button>
        ) : (
          <Button look="plain" aria-disabled={testing} aria-label={`Test ${entry.name}`} onClick={() => testing || act("Testing", "test")}>
            Test
          </Button>
        )}
        {entry.kind === "profile" && <IconButton icon="edit" name={`Edit ${entry.name}`} onClick={edit} />}
        {entry.kind !== "machine" && <IconButton icon="trash" name={`Delete ${entry.name}`} onClick={() => (asking.value = true)} />}
      </div>
      {trouble.value && (
        <p class="trouble-line" role="alert">
          <Icon name="failed" />
          {trouble.value}
        </p>
      )}
      {asking.value && <AskDelete entry={entry} rpc={rpc} close={() => (asking.value = false)} />}
    </li>
  );
}

function simulate(rpc: Rpc, busy: { value: string }, trouble: { value: string }): void {
  busy.value = "Starting";
  trouble.value = "";
  rpc
    .call("simulate")
    .catch((error: Error) => (trouble.value = error.message))
    .finally(() => (busy.value = ""));
}

/** Asks at the row. What hangs on the profile is told before it goes too. */
function AskDelete({ entry, rpc, close }: { entry: Entry; rpc: Rpc; close: () => void }) {
  const used = useSignal("");
  const trouble = useSignal("");
  const busy = useSignal(false);
  const keep = useRef<HTMLDivElement>(null);
  useEffect(() => keep.current?.querySelector("button")?.focus(), []);
  const remove = (): void => {
    busy.value = true;
    trouble.value = "";
    rpc
      .call<{ used: string }>("delete", { id: entry.id, force: used.value !== "" })
      .then(({ used: found }) => (found ? (used.value = found) : close()))
      .catch((error: Error) => (trouble.value = error.message))
      .finally(() => (busy.value = false));
  };
  const question =
    entry.kind === "settings" ? `Forget the key of ${entry.label}?` : `Delete ${entry.name}?${entry.key ? " Its key goes with it." : ""}`;
  return (
    <div
      class="ask"
      role="group"
      aria-label={`Delete ${entry.name}`}
      ref={keep}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <p role="alert">
        {trouble.value || (used.value ? `${entry.name} is used by ${used.value}. Deleting it deletes them and their pictures too.` : question)}
      </p>
      <Button onClick={close}>Keep it</Button>
      <Button look="danger" disabled={busy.value} onClick={remove}>
        {used.value ? `Delete it with ${used.value}` : entry.kind === "settings" ? "Forget the key" : "Delete the profile"}
      </Button>
    </div>
  );
}
