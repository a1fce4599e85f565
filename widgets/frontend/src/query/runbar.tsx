import { useSignal, useSignalEffect } from "@preact/signals";
import { Button, State } from "../core/parts";
import { parameterNames } from "./sql";
import type { QueryState } from "./state";

const TICK_MS = 100;

/** Run or Stop, in the same place; a box for each `$parameter` of the statement. */
export function RunBar({ state, run }: { state: QueryState; run(): void }) {
  const seconds = useSignal(0);
  useSignalEffect(() => {
    const began = state.began.value;
    if (!began) return;
    const look = (): void => void (seconds.value = (performance.now() - began) / 1000);
    look();
    const timer = setInterval(look, TICK_MS);
    return () => clearInterval(timer);
  });
  const names = parameterNames(state.sql.value);
  const running = state.running.value;
  return (
    <div class="runbar">
      {running ? (
        <Button icon="stop" look="go" onClick={() => state.stop()}>
          Stop
        </Button>
      ) : (
        <Button icon="play" look="primary go" disabled={!state.sql.value.trim()} onClick={run}>
          Run
        </Button>
      )}
      {names.map((name) => (
        <label class="affix value">
          ${name}
          <input
            class="field"
            aria-label={`Value of $${name}`}
            value={state.values.value[name] ?? ""}
            title="A number, text, true, false, null or a [list]; '7' is text"
            onInput={(event) => (state.values.value = { ...state.values.peek(), [name]: event.currentTarget.value })}
            onKeyDown={(event) => event.key === "Enter" && run()}
          />
        </label>
      ))}
      {running && seconds.value >= 0.3 && <State kind="running">running, {seconds.value.toFixed(1)} s</State>}
      {!running && state.run.value.state === "stopped" && <State kind="stopped">stopped</State>}
      <span class="grow" />
      <span class="quiet-text tiny hide-narrow">
        {running ? (
          <>
            <span class="kbd">Esc</span> stops
          </>
        ) : (
          <>
            <span class="kbd">Shift Enter</span> runs, <span class="kbd">Ctrl Space</span> completes
          </>
        )}
      </span>
    </div>
  );
}
