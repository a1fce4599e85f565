import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Button, Icon } from "../core/parts";
import type { Desk } from "./editor";
import { offsetOf } from "./sql";
import type { QueryState } from "./state";

interface Props {
  state: QueryState;
  desk: Desk;
  run(): void;
}

/** Why the statement was refused, and where; what DuckDB suggests is one click away. */
export function Oops({ state, desk, run }: Props) {
  const error = state.run.value.error!;
  const isCounted = error.code === "RATE_LIMITED";
  const [head, ...rest] = error.message.split("\n");
  const better = /Did you mean "([^"]+)"/.exec(error.message)?.[1];
  const isSame = state.sql.value === error.sql;
  const replace = (): void => {
    const from = offsetOf(error.sql, error.line!, error.column!);
    state.sql.value = error.sql.slice(0, from) + better + error.sql.slice(from + (error.length ?? 0));
    desk.focus();
    run();
  };
  const back = state.run.value.number > 0 && <Button onClick={() => (state.run.value = { ...state.run.peek(), error: null })}>Back to the last result</Button>;
  return (
    <div class="oops-box" role="alert">
      <Icon name="failed" />
      <div>
        <b>{isCounted ? head!.replace(/; ask again in .*/, "") : head!.replace(/^(Parser|Binder|Catalog|Invalid Input|Conversion) Error: /, "")}</b>
        {rest.length > 0 && <pre>{rest.join("\n")}</pre>}
        {isCounted ? (
          <Again state={state} run={run}>
            {back}
          </Again>
        ) : (
          <>
            <p class="quiet-text small">
              {error.line !== undefined && `Line ${error.line}, column ${error.column}. `}
              {error.code === "QUERY_STOPPED" ? "Ask for less with a where or a limit." : "Nothing was changed: this pane only reads."}
            </p>
            <p class="acts">
              {better && error.line !== undefined && isSame && <Button onClick={replace}>Use {better}</Button>}
              {back}
            </p>
          </>
        )}
      </div>
    </div>
  );
}

/** When a server that counts statements takes the next one. */
function Again({ state, run, children }: { state: QueryState; run(): void; children: ComponentChildren }) {
  const left = useSignal(0);
  useSignalEffect(() => {
    const until = performance.now() + (state.run.value.error?.retry_after_s ?? 0) * 1000;
    const look = (): void => {
      const seconds = Math.max(0, Math.ceil((until - performance.now()) / 1000));
      left.value = seconds; // only written: what an effect reads begins it anew
      if (seconds === 0) clearInterval(timer);
    };
    const timer = setInterval(look, 250);
    look();
    return () => clearInterval(timer);
  });
  return (
    <>
      <p class="quiet-text small" aria-live="off">
        {left.value > 0 ? `The statement stays in the editor. It can run in ${left.value} s.` : "It can run now."}
      </p>
      <p class="acts">
        <Button icon="retry" disabled={left.value > 0} onClick={run}>
          Run again
        </Button>
        {children}
      </p>
    </>
  );
}

/** Nothing can be asked at all: DuckDB is not installed, or a server allows no questions. */
export function Unavailable({ state }: { state: QueryState }) {
  return (
    <div class="first scroll" role="alert">
      <h3>Nothing can be asked in SQL yet</h3>
      <p>{state.schemaError.value}</p>
      <p class="acts">
        <Button icon="retry" onClick={() => void state.rpc.call("schema").catch(() => {})}>
          Try again
        </Button>
      </p>
    </div>
  );
}
