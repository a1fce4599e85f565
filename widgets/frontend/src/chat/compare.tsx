import { useSignal } from "@preact/signals";
import { Button, CopyButton, IconButton, State } from "../core/parts";
import type { Actions } from "./actions";
import { Body } from "./body";
import { best, counts, dollars, seconds, speed, whole, type Counts, type Figure } from "./counts";
import type { Entry } from "./state";
import { TroubleView } from "./turn";

const GLYPHS = { writing: "running", complete: "done", stopped: "stopped", failed: "failed" } as const;

/** Several answers to one question side by side; under 640 px they are tabs that carry their state. */
export function Comparison({ answers, at }: { answers: Entry[]; at: Actions }) {
  const shown = useSignal(0);
  const all = answers.map((answer) => counts(answer.facts.value));
  const leading = best(all.map((one, index) => candidate(one, answers[index]!.facts.value.state)));
  const index = Math.min(shown.value, answers.length - 1);
  return (
    <div class="comparison">
      <div class="tabs only-narrow" role="tablist" aria-label="Answers">
        {answers.map((answer, number) => (
          <button type="button" role="tab" aria-selected={number === index} tabindex={number === index ? 0 : -1} onClick={() => (shown.value = number)}>
            {nameOf(answer)} <State kind={GLYPHS[answer.facts.value.state]} />
          </button>
        ))}
      </div>
      <div class="columns" style={`--columns:${answers.length}`}>
        {answers.map((answer, number) => (
          <Column
            key={answer.id}
            answer={answer}
            at={at}
            known={all[number]!}
            shown={number === index}
            leads={(figure) => leading[figure] === number}
          />
        ))}
      </div>
    </div>
  );
}

/** What may be called the best: nothing of an answer that failed or was stopped, only the start of one in the writing. */
function candidate(known: Counts, state: Entry["facts"]["value"]["state"]): Counts {
  const rest = { totalS: null, tokens: null, speed: null, cost: null };
  if (state === "complete") return known;
  return { ...rest, firstTokenS: state === "writing" ? known.firstTokenS : null };
}

const nameOf = (answer: Entry): string => answer.facts.value.model ?? answer.facts.value.provider ?? "Answer";

interface ColumnProps {
  answer: Entry;
  at: Actions;
  known: Counts;
  shown: boolean;
  leads: (figure: Figure) => boolean;
}

function Column({ answer, at, known, shown, leads }: ColumnProps) {
  const facts = answer.facts.value;
  const { state, error } = facts;
  const writing = state === "writing";
  const where = at.chat.models.value.choices.find((one) => one.model === facts.model && one.profile_id === facts.profile_id)?.where;
  const rows: [string, string | null, boolean][] = [
    ["first token", seconds(known.firstTokenS), leads("firstTokenS")],
    ["total", writing ? "running" : seconds(known.totalS), leads("totalS")],
    ["tokens", whole(known.tokens), false],
    ["speed", writing ? null : speed(known.speed), leads("speed")],
    ["cost", dollars(known.cost), leads("cost")],
  ];
  return (
    <div class={`answer${shown ? " shown" : ""}`} role="group" aria-label={nameOf(answer)} aria-busy={writing} data-turn={answer.id}>
      <header>
        <div class="grow cut">
          <b title={nameOf(answer)}>{nameOf(answer)}</b>
          <small>{where ?? facts.provider}</small>
        </div>
        {writing && (
          <Button icon="stop" onClick={() => at.stop(answer.id)}>
            Stop
          </Button>
        )}
      </header>
      <div class="said scroll" tabindex={0} role="region" aria-label={`Answer of ${nameOf(answer)}`}>
        <Body turn={answer} at={at} />
        {writing && answer.text.value === "" && <span class="caret" />}
        {state === "failed" && error && <TroubleView error={error} facts={facts} off={false} />}
      </div>
      <dl>
        {rows.map(([name, value, leading]) => (
          <>
            <dt>{name}</dt>
            <dd class={leading ? "best" : ""}>{value ?? <span class="quiet-text">{writing ? "…" : "unknown"}</span>}</dd>
          </>
        ))}
      </dl>
      <footer>
        {writing ? (
          <State kind="running">{answer.text.value ? "writing" : "waiting"}</State>
        ) : (
          <>
            <Button icon="done" disabled={!answer.text.value} onClick={() => void at.run("keep", { id: answer.id })}>
              Keep this answer
            </Button>
            {answer.text.value && <CopyButton label="Copy" text={() => answer.text.peek()} />}
            {state === "stopped" && <State kind="stopped">stopped</State>}
          </>
        )}
        {state === "failed" && <IconButton icon="trash" name="Delete this answer" onClick={() => void at.run("delete_turn", { id: answer.id })} />}
      </footer>
    </div>
  );
}
