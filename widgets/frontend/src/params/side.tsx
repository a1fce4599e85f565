import { useSignal } from "@preact/signals";
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";
import { Bar, Button, Icon, IconButton, State } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { asNumber } from "./ranges";
import { expected, left, type LastRow, type LatelyRow, type LiveRow, type ParamsState } from "./state";

interface Props {
  state: ParamsState;
  rpc: Rpc;
  /** Why nothing can be started now, "" when it can. */
  blocked: string;
  /** How many pictures made lately there is room for. */
  room: number;
  generate: (count: number) => void;
  stop: () => void;
}

const MAX_RUNS = 64;

export function Side({ state, rpc, blocked, room, generate, stop }: Props) {
  const runs = useSignal("1");
  const { open, last, lately } = state.runs.value;
  const current = open.find((run) => run.status === "running") ?? open[0];
  const count = Math.min(MAX_RUNS, Math.max(1, Math.round(asNumber(runs.value) ?? 1)));
  const images = count * (asNumber(state.value("batch_size")) ?? 1);
  return (
    <aside aria-label="Result">
      <Stage state={state} rpc={rpc} current={current} last={last} />
      <div class="run">
        {current ? <Running run={current} open={open.length} /> : <Outcome state={state} last={last} />}
        <div class="row">
          {current ? (
            <>
              <span class="small quiet-text fill cut">{open.length > 1 ? `${open.length} runs` : "1 run"}</span>
              <Button key="stop" icon="stop" onClick={stop}>
                Stop
              </Button>
              <Button key="more" icon="plus" disabled={blocked !== ""} title={blocked || undefined} onClick={() => generate(count)}>
                {images === 1 ? "Queue 1 more" : `Queue ${images} more`}
              </Button>
            </>
          ) : (
            <>
              <Button key="go" icon="play" look="primary tall fill" disabled={blocked !== ""} title={blocked || "Ctrl Enter"} onClick={() => generate(count)}>
                {images === 1 ? "Generate" : `Generate ${images} images`}
              </Button>
              <label class="times small quiet-text">
                ×
                <input
                  class="field n"
                  inputMode="numeric"
                  aria-label="Runs"
                  title="How many runs: each with its own seed, or with the next ones"
                  value={runs.value}
                  onInput={(event) => (runs.value = event.currentTarget.value)}
                  onBlur={() => (runs.value = String(count))}
                />
              </label>
            </>
          )}
        </div>
      </div>
      <Facts state={state} current={current} waiting={open.length - 1} />
      {lately.length > 0 && (
        <section class="lately" aria-label="Lately">
          <h3>Lately. Click one to take its values.</h3>
          <div>
            {lately.slice(0, room).map((row) => (
              <Tile key={row.id} row={row} rpc={rpc} take={() => void rpc.call("take", { id: row.id }).catch(() => {})} />
            ))}
          </div>
        </section>
      )}
    </aside>
  );
}

/** The preview of what runs, else the last result. */
function Stage({ state, rpc, current, last }: { state: ParamsState; rpc: Rpc; current: LiveRow | undefined; last: LastRow | null }) {
  const index = useSignal(0);
  useEffect(() => void (index.value = 0), [last?.id]);
  const url = usePicture(rpc, last && last.pictures > 0 ? last.id : null, index.value, "full");
  const preview = current && state.preview.value;
  if (preview) return <div class="stage">{<img src={preview.url} alt="Preview of the picture" />}</div>;
  if (!last || last.pictures === 0)
    return (
      <div class="stage">
        <span class="hint">{last?.status === "failed" ? "No picture came out" : "The picture appears here while it is made"}</span>
      </div>
    );
  return (
    <div class={`stage${current ? " old" : ""}`}>
      {url && <img src={url} alt={last.seed === null ? "Last result" : `Last result, seed ${last.seed}`} />}
      {last.pictures > 1 && (
        <span class="turner" role="group" aria-label="Pictures of the batch">
          <IconButton icon="left" name="Previous picture" disabled={index.value === 0} onClick={() => index.value--} />
          <span class="num" role="status">
            {index.value + 1} of {last.pictures}
          </span>
          <IconButton icon="right" name="Next picture" disabled={index.value === last.pictures - 1} onClick={() => index.value++} />
        </span>
      )}
    </div>
  );
}

function Running({ run, open }: { run: LiveRow; open: number }) {
  const percent = Math.round(run.progress * 100);
  const rest = left(run);
  const words = run.id === null ? "being sent" : run.status === "running" ? run.node || "running" : "waits in ComfyUI's queue";
  return (
    <>
      <div class="row">
        <State kind={run.status === "running" ? "running" : "queued"}>
          <span class="cut">
            {words}
            {run.status === "running" && (
              <>
                , <b>{percent} %</b>
              </>
            )}
          </span>
        </State>
        <span class="grow" />
        <span class="small quiet-text nowrap">{rest === null ? "" : `${Math.max(1, Math.round(rest))} s left`}</span>
      </div>
      <Bar share={percent} label={open > 1 ? `Progress of the first of ${open} runs` : "Progress of the run"} />
    </>
  );
}

/** How the last run ended, where that needs words: done is silent. */
function Outcome({ state, last }: { state: ParamsState; last: LastRow | null }) {
  const { failure } = state.runs.value;
  const wrong = Object.keys(state.kernel.value.errors).length;
  if (wrong > 0)
    return (
      <div class="row small">
        <State kind="failed">{wrong === 1 ? "1 value needs a change" : `${wrong} values need a change`}</State>
      </div>
    );
  const error = failure ?? (last?.status === "failed" ? last.error : null);
  if (error === "Cancelled")
    return (
      <div class="row small">
        <State kind="stopped">stopped</State>
      </div>
    );
  if (error)
    return (
      <div class="row small failed-text" role="alert">
        <Icon name="failed" />
        <span>{error}</span>
      </div>
    );
  const notes = [...(last?.cached ? ["From ComfyUI's cache: the same values gave this picture before."] : []), ...(last?.warnings ?? [])];
  return notes.length > 0 ? <p class="tiny quiet-text">{notes.join(" ")}</p> : null;
}

function Facts({ state, current, waiting }: { state: ParamsState; current: LiveRow | undefined; waiting: number }) {
  const { server, session } = state.setup.value ?? {};
  const guess = expected(state);
  const total = state.fields.value.length;
  const facts: [string, string][] = [["Server", server?.name ?? "unknown"]];
  if (session) facts.push(["Session", session.title]);
  if (current) {
    if (waiting > 0) facts.push(["Waiting after it", String(waiting)]);
    if (current.seed !== null) facts.push(["Seed", String(current.seed)]);
  } else {
    if (guess) facts.push(["Expected", `about ${spoken(guess.seconds)}`], ["From", guess.count === 1 ? "1 run like this" : `${guess.count} runs like this`]);
    facts.push(["Changed", `${state.kernel.value.changed.length} of ${total} values`]);
  }
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <Fragment key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </Fragment>
      ))}
    </dl>
  );
}

const spoken = (seconds: number): string => (seconds < 1 ? "1 s" : seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`);

function Tile({ row, rpc, take }: { row: LatelyRow; rpc: Rpc; take: () => void }) {
  const url = usePicture(rpc, row.id, 0, "thumbnail");
  return (
    <button type="button" onClick={take} aria-label={`Take the values of seed ${row.seed ?? "unknown"}`} title={row.prompt}>
      {url ? <img src={url} alt="" /> : <i class="skeleton" />}
    </button>
  );
}

/** A picture of a generation as an address; "" while it is fetched, the picture before stays until then. */
function usePicture(rpc: Rpc, id: string | null, index: number, size: string): string {
  const url = useSignal("");
  useEffect(() => {
    let gone = false;
    if (id === null) url.value = "";
    else
      rpc.call<DataView<ArrayBuffer>>("picture", { id, index, size }).then(
        (bytes) => {
          if (gone) return;
          if (url.peek()) URL.revokeObjectURL(url.peek());
          url.value = URL.createObjectURL(new Blob([bytes]));
        },
        () => {},
      );
    return () => void (gone = true);
  }, [id, index, size]);
  useEffect(() => () => (url.peek() ? URL.revokeObjectURL(url.peek()) : undefined), []);
  return url.value;
}
