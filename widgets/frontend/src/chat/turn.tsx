import { Button, CopyButton, Icon, IconButton, State } from "../core/parts";
import type { Trouble } from "../core/types";
import type { Actions } from "./actions";
import { Asking, Editor } from "./asking";
import { Body } from "./body";
import { counts, dollars, seconds, speed, whole } from "./counts";
import { Menu, MenuItem } from "./menu";
import { Thumbs } from "./pictures";
import type { Entry, Facts } from "./state";

interface Props {
  turn: Entry;
  at: Actions;
}

export function Question({ turn, at }: Props) {
  const { attachments } = turn.facts.value;
  const editing = at.editing.value === turn.id;
  return (
    <article class="turn you" aria-label="You" data-turn={turn.id}>
      <div class="who">
        <b>You</b>
      </div>
      <div class="said">
        {editing ? <Editor turn={turn} at={at} /> : <div class="asked">{turn.text.value}</div>}
        {attachments.length > 0 && <Thumbs attachments={attachments} at={at} />}
        <Asking turn={turn} at={at} />
      </div>
      <div class="side">
        <Versions turn={turn} at={at} />
        {!editing && (
          <span class="quiet-acts">
            <IconButton icon="edit" name="Edit this message" disabled={at.busy.value} onClick={() => (at.editing.value = turn.id)} />
            <More turn={turn} at={at} name="More for this message" />
          </span>
        )}
      </div>
    </article>
  );
}

export function Answer({ turn, at }: Props) {
  const facts = turn.facts.value;
  const { state, error, warnings, finish_reason: why, model } = facts;
  const tokens = facts.usage.completion_tokens;
  const again = (): void => void at.begin("again", { id: turn.id });
  return (
    <article class="turn" aria-label={model ?? "Answer"} aria-busy={state === "writing"} data-turn={turn.id}>
      <Who facts={facts} at={at} started={turn.text.value !== ""} />
      <div class="said">
        <Body turn={turn} at={at} />
        {state === "writing" && turn.text.value === "" && <span class="caret" />}
        {state === "stopped" && (
          <p class="small">
            <State kind="stopped">{tokens ? `Stopped by you after ${whole(tokens)} tokens` : "Stopped by you"}</State>
          </p>
        )}
        {why === "length" && state === "complete" && <p class="small quiet-text">The answer ends here: it reached the longest allowed length.</p>}
        {warnings.map((warning) => (
          <p class="small quiet-text">{warning}</p>
        ))}
        {state === "failed" && error && <TroubleView error={error} facts={facts} retry={again} off={at.busy.value} />}
        {state !== "writing" && (
          <div class="acts">
            {turn.text.value && <CopyButton text={() => turn.text.peek()} />}
            {state !== "failed" && (
              <Button icon="retry" look="plain" disabled={at.busy.value} onClick={again}>
                Regenerate
              </Button>
            )}
            {turn.text.value && (
              <Button icon="right" look="plain" disabled={at.busy.value} onClick={() => void at.begin("continue", { id: turn.id })}>
                Continue
              </Button>
            )}
            <More turn={turn} at={at} name="More for this answer" />
          </div>
        )}
        <Asking turn={turn} at={at} />
      </div>
      <div class="side">
        <Versions turn={turn} at={at} />
        <Numbers facts={facts} />
      </div>
    </article>
  );
}

function Who({ facts, at, started }: { facts: Facts; at: Actions; started: boolean }) {
  const model = facts.model ?? facts.provider ?? "";
  const [name, tag] = splitName(model);
  const where = at.chat.models.value.choices.find((one) => one.model === facts.model && one.profile_id === facts.profile_id)?.where;
  const under = facts.state === "writing" ? (started ? "writing" : "waiting") : [tag, where ?? facts.provider].filter(Boolean).join(", ");
  return (
    <div class="who">
      <b title={model}>{breakable(name)}</b>
      <small>{under}</small>
    </div>
  );
}

/** `smollm2:135m` as its name and its tag. */
function splitName(model: string): [string, string] {
  const at = model.lastIndexOf(":");
  return at > 0 ? [model.slice(0, at), model.slice(at + 1)] : [model, ""];
}

/** A long name with places where the narrow margin may break it. */
function breakable(name: string) {
  return name.split(/(?<=[-_/.])/).map((part) => (
    <>
      {part}
      <wbr />
    </>
  ));
}

/** `< 2 of 3 >` on a turn that has alternatives. */
export function Versions({ turn, at }: Props) {
  const all = at.chat.branches.value.alternatives(turn);
  if (all.length < 2) return null;
  const index = all.indexOf(turn);
  const what = turn.role === "user" ? "message" : "answer";
  return (
    <div class="branch" role="group" aria-label={`Versions of this ${what}`}>
      <IconButton icon="left" name="Previous version" disabled={index === 0} onClick={() => at.switchBranch(-1, turn)} />
      <span>
        {index + 1} of {all.length}
      </span>
      <IconButton icon="right" name="Next version" disabled={index === all.length - 1} onClick={() => at.switchBranch(1, turn)} />
    </div>
  );
}

function More({ turn, at, name }: Props & { name: string }) {
  const answers = turn.role === "assistant" ? at.chat.branches.value.alternatives(turn).length : 0;
  return (
    <Menu icon="more" name={name} end>
      {(close) => {
        const item = (act: () => void) => () => {
          close();
          act();
        };
        return (
          <>
            {turn.role === "user" && (
              <MenuItem icon="copy" onClick={item(() => void navigator.clipboard?.writeText(turn.text.peek()))}>
                Copy as markdown
              </MenuItem>
            )}
            {answers > 1 && (
              <MenuItem icon="compare" onClick={item(() => void at.run("keep", { id: turn.parent }))}>
                See the {answers} answers side by side
              </MenuItem>
            )}
            <MenuItem icon="trash" disabled={at.busy.value} onClick={item(() => (at.deleting.value = turn.id))}>
              Delete turn…
            </MenuItem>
          </>
        );
      }}
    </Menu>
  );
}

export function TroubleView({ error, facts, retry, off }: { error: Trouble; facts: Facts; retry?: () => void; off: boolean }) {
  const wait = error.retry_after_s;
  return (
    <div class="trouble" role="alert">
      <Icon name="failed" />
      <b>{error.message}</b>
      <small>
        {[facts.provider, error.code].filter(Boolean).join(", ")}. {wait ? `The other side asks to wait ${Math.ceil(wait)} s. ` : ""}Your message is kept.
      </small>
      {retry && (
        <div class="row">
          <Button icon="retry" look="primary" disabled={off} onClick={retry}>
            Retry
          </Button>
          <span class="tiny quiet-text">Or choose another model below, then retry.</span>
        </div>
      )}
    </div>
  );
}

function Numbers({ facts }: { facts: Facts }) {
  const known = counts(facts);
  const rows: [string, string | null][] = [
    ["first token", seconds(known.firstTokenS)],
    ["tokens", whole(known.tokens)],
    ["speed", facts.state === "writing" ? null : speed(known.speed)],
    ["cost", dollars(known.cost)],
  ];
  return (
    <ul class="plain counts">
      {rows
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <li key={name}>
            <span>{name}</span>
            <span>{value}</span>
          </li>
        ))}
    </ul>
  );
}
