import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Bar, Button, Icon } from "../core/parts";
import type { IconName } from "../core/icons";
import type { Rpc } from "../core/rpc";
import type { OffersRow } from "./state";

interface Props {
  offers: OffersRow;
  rpc: Rpc;
  /** What the first offer's button says and does: `simulate`, or `make` pictures too. */
  first: { label: string; op: string };
  add: () => void;
  /** Where there is a chat to go to. */
  chat?: () => void;
}

/** What can be done while nothing is set up: a ruled list, the one that needs nothing first. */
export function Offers({ offers, rpc, first, add, chat }: Props) {
  const { pull } = offers;
  return (
    <ul class="plain offers">
      <Offer icon="image" title="Simulated ComfyUI" text="Draws placeholder pictures at once, with every real parameter." rpc={rpc} op={first.op} primary label={first.label} busy="Starting…" />
      {offers.comfyui && (
        <Offer icon="online" title="ComfyUI" after={`, found at ${offers.comfyui.address}`} text={count(offers.comfyui.checkpoints, "checkpoint")} rpc={rpc} op="use_comfyui" label="Use it" busy="Connecting…" />
      )}
      {offers.local ? (
        <Plain icon="done" title="smollm2:135m" after=", a small chat model" text="It is here, and needs no key." label="Chat" act={chat} />
      ) : (
        <li>
          <Icon name="download" />
          <div>
            <b>smollm2:135m</b>, a small chat model
            {pull && !pull.error ? <Pulling pull={pull} /> : <small role={pull ? "alert" : undefined}>{pull?.error ? pull.error.message : "94 MB download, about 20 s."}</small>}
          </div>
          {pull && !pull.error ? (
            <Button onClick={() => void rpc.call("cancel_pull")}>Cancel</Button>
          ) : (
            <Button onClick={() => void rpc.call("pull")}>{pull?.error ? "Try again" : "Download"}</Button>
          )}
        </li>
      )}
      {offers.ollama > 0 && <Plain icon="online" title="Ollama" after=", found on this machine" text={`${count(offers.ollama, "model")}, no key needed.`} label="Chat" act={chat} />}
      <Plain icon="key" title="Your own" text="ComfyUI, Ollama, OpenAI, Claude, Gemini." label="Add a profile" act={add} />
    </ul>
  );
}

interface OfferProps {
  icon: IconName;
  title: string;
  after?: string;
  text: string;
  rpc: Rpc;
  op: string;
  label: string;
  busy: string;
  primary?: boolean;
}

function Offer({ icon, title, after, text, rpc, op, label, busy, primary }: OfferProps) {
  const working = useSignal(false);
  const trouble = useSignal("");
  const act = (): void => {
    working.value = true;
    trouble.value = "";
    rpc
      .call(op)
      .catch((error: Error) => (trouble.value = error.message))
      .finally(() => (working.value = false));
  };
  return (
    <li>
      <Icon name={icon} />
      <div>
        <b>{title}</b>
        {after}
        {trouble.value ? <small role="alert">{trouble.value}</small> : <small>{text}</small>}
      </div>
      <Button look={primary ? "primary" : ""} disabled={working.value} onClick={act}>
        {working.value ? busy : label}
      </Button>
    </li>
  );
}

interface PlainProps {
  icon: IconName;
  title: string;
  after?: ComponentChildren;
  text: string;
  label: string;
  act?: () => void;
}

function Plain({ icon, title, after, text, label, act }: PlainProps) {
  return (
    <li>
      <Icon name={icon} />
      <div>
        <b>{title}</b>
        {after}
        <small>{text}</small>
      </div>
      {act && <Button onClick={act}>{label}</Button>}
    </li>
  );
}

function Pulling({ pull }: { pull: NonNullable<OffersRow["pull"]> }) {
  const share = pull.total ? Math.min(100, Math.round((pull.completed / pull.total) * 100)) : 0;
  const of = pull.total ? `${(pull.total / 1e6).toFixed(0)} MB` : "unknown size";
  return (
    <>
      <small>
        {(pull.completed / 1e6).toFixed(0)} of {of}
      </small>
      <Bar share={share} label="Downloading smollm2:135m" />
    </>
  );
}

const count = (number: number, what: string): string => `${number} ${what}${number === 1 ? "" : "s"}`;
