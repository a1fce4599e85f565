import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { State } from "../core/parts";
import type { Actions } from "./actions";
import { dollars, total, whole } from "./counts";

const ENDS = { complete: "Answer complete", stopped: "Answer stopped", failed: "The answer failed" } as const;

/** What the whole conversation took, every branch of it. Screen readers hear the end of an answer here, not every token. */
export function Ledger({ at }: { at: Actions }) {
  const { chat } = at;
  const facts = chat.branches.value.all.map((turn) => turn.facts.value);
  const input = total(facts.map((fact) => fact.usage.prompt_tokens));
  const output = total(facts.map((fact) => fact.usage.completion_tokens));
  const cost = total(facts.map((fact) => fact.cost_usd));
  const compared = chat.compared.value.length;
  if (facts.length === 0) return null;
  return (
    <footer class="ledger">
      {compared > 0 && (
        <span>
          <b>{compared}</b> answers
        </span>
      )}
      {input !== null && (
        <span>
          <b>{whole(input)}</b> tokens in
        </span>
      )}
      {output !== null && (
        <span>
          <b>{whole(output)}</b> out
        </span>
      )}
      {cost !== null && (
        <span>
          <b>{dollars(cost)}</b> <span class="hide-narrow">this conversation</span>
        </span>
      )}
      <span class="end">
        <Now at={at} />
      </span>
      <Spoken at={at} />
    </footer>
  );
}

/** What is going on, with the seconds it has taken. */
function Now({ at }: { at: Actions }) {
  const { chat } = at;
  const now = useSignal(performance.now());
  useSignalEffect(() => {
    if (!chat.live.value) return;
    now.value = performance.now();
    const timer = setInterval(() => (now.value = performance.now()), 200);
    return () => clearInterval(timer);
  });
  const writing = chat.writing.value;
  const first = writing[0];
  if (first) {
    const began = Math.min(...writing.map((turn) => turn.beganAt));
    const what = writing.some((turn) => turn.text.value !== "") ? "writing" : "waiting for the first token";
    return (
      <State kind="running">
        {what}, {Math.max(0, (now.value - began) / 1000).toFixed(1)} s
      </State>
    );
  }
  if (chat.compared.value.length > 1) return <>Keeping an answer continues the chat from it</>;
  const failed = chat.shown.value.filter((turn) => turn.facts.value.state === "failed").length;
  return failed > 0 ? <State kind="failed">{failed === 1 ? "1 request failed" : `${failed} requests failed`}</State> : null;
}

function Spoken({ at }: { at: Actions }) {
  const words = useComputed(() => {
    const { shown, compared } = at.chat;
    const ended = compared.value.filter((turn) => turn.facts.value.state !== "writing").length;
    if (compared.value.length > 0) return ended > 0 ? `Answer ${ended} of ${compared.value.length} complete` : "";
    const last = shown.value.at(-1);
    const state = last?.facts.value.state;
    return last?.role === "assistant" && state && state !== "writing" ? ENDS[state] : "";
  });
  return (
    <span class="sr" role="status">
      {words.value}
    </span>
  );
}
