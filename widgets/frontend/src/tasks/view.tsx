import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Bar, Button, Icon, IconButton, LinkBanner, State } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { left, runs, type ResultRow, type TaskList, type TaskRow } from "./state";
import { TaskTable } from "./table";

export function TasksView({ list, rpc, height, compact }: { list: TaskList; rpc: Rpc; height: number; compact: boolean }) {
  const refused = useSignal("");
  const act = (op: string, id: string): void =>
    void rpc.call(op, { id }).then(
      () => (refused.value = ""),
      (error: Error) => (refused.value = error.message),
    );
  const total = list.rows.value.length;
  const open = total - list.ended.value;
  useSignalEffect(() => rpc.watch(list.rows.value.some(runs)));
  return (
    <section class="pane" aria-label="Tasks" style={{ maxHeight: `${height}px` }} onFocusIn={() => void rpc.probe()}>
      <header class="head">
        <h2>Tasks</h2>
        <span class="of">{total === 0 ? "none yet" : `${list.ended.value} of ${total} ended`}</span>
      </header>
      <LinkBanner rpc={rpc} />
      {list.trouble.value && (
        <div class="banner warn" role="status">
          <Icon name="warn" />
          <span class="text">The list may be old. {list.trouble.value}</span>
        </div>
      )}
      {refused.value && (
        <div class="banner danger" role="alert">
          <Icon name="failed" />
          <span class="text">{refused.value}</span>
          <IconButton icon="close" name="Dismiss" onClick={() => (refused.value = "")} />
        </div>
      )}
      {!compact && list.ready.value && total === 0 && (
        <p class="nothing">
          Nothing has been run yet. Pictures and tasks appear here as they run; <span class="inline">wb.run(...)</span> makes one in code.
        </p>
      )}
      {compact ? (
        <div class="rows scroll" tabindex={0} role="group" aria-label="Running and waiting">
          <TaskTable list={list} cancel={(row) => act("cancel", row.id)} retry={(row) => act("retry", row.id)} />
        </div>
      ) : (
        <ul class="plain rows scroll" tabindex={0} aria-label="Tasks and their results">
          {list.rows.value.map((row) => (
            <TaskView key={row.id} row={row} rpc={rpc} cancel={() => act("cancel", row.id)} retry={() => act("retry", row.id)} />
          ))}
        </ul>
      )}
      {!compact && (open > 0 || list.failed.value > 0) && (
        <footer class="ledger">
          <span class="end">
            {open > 0 ? <State kind="running">{open} to go</State> : <State kind="failed">{list.failed.value} failed</State>}
          </span>
        </footer>
      )}
      <span class="sr" role="status">
        {total > 0 && open === 0 ? "All tasks ended" : ""}
      </span>
    </section>
  );
}

interface RowProps {
  row: TaskRow;
  rpc: Rpc;
  cancel: () => void;
  retry: () => void;
}

function TaskView({ row, rpc, cancel, retry }: RowProps) {
  const percent = Math.round(row.progress * 100);
  return (
    <li class="task" aria-label={row.name}>
      <div class="task-line">
        <b class="cut">{row.name}</b>
        <span class="grow" />
        <span class="quiet-text cut">{row.where}</span>
        {row.status === "pending" && <State kind="queued">waiting</State>}
        {row.status === "running" && <State kind="running">{[percent > 0 ? `${percent} %` : "running", left(row.left_s) && `${left(row.left_s)} left`].filter(Boolean).join(", ")}</State>}
        {row.status === "failed" && <State kind="failed">failed</State>}
        {row.status === "gone" && <State kind="stopped">cancelled</State>}
        {runs(row) && <IconButton icon="close" name={`Cancel ${row.name}`} onClick={cancel} />}
        {row.status === "failed" && row.kind === "task" && (
          <Button icon="retry" look="plain" onClick={retry}>
            Retry
          </Button>
        )}
      </div>
      {runs(row) && <Bar share={percent} label={`Progress of ${row.name}`} />}
      {row.status === "failed" && row.error && <p class="small quiet-text">{row.error}</p>}
      {row.results.map((result) => (
        <ResultView key={result.id} result={result} rpc={rpc} name={row.name} />
      ))}
    </li>
  );
}

function ResultView({ result, rpc, name }: { result: ResultRow; rpc: Rpc; name: string }) {
  if (result.type === "text")
    return (
      <p class="result">
        {result.text}
        {result.cut && <span class="quiet-text"> … (the rest is in the results)</span>}
      </p>
    );
  if (result.type === "image") return <ImageView result={result} rpc={rpc} name={name} />;
  return <p class="small quiet-text">One {result.type}, see the results.</p>;
}

function ImageView({ result, rpc, name }: { result: ResultRow; rpc: Rpc; name: string }) {
  const url = useSignal("");
  const trouble = useSignal("");
  useEffect(() => {
    let gone = false;
    rpc.call<DataView<ArrayBuffer>>("media", { id: result.id }).then(
      (bytes) => {
        if (!gone) url.value = URL.createObjectURL(new Blob([bytes]));
      },
      (error: Error) => (trouble.value = error.message),
    );
    return () => {
      gone = true;
      if (url.peek()) URL.revokeObjectURL(url.peek());
    };
  }, [result.id]);
  if (trouble.value) return <p class="small quiet-text">{trouble.value}</p>;
  const label = result.seed === null ? name : `${name}, seed ${result.seed}`;
  return <div class="picture">{url.value ? <img src={url.value} alt={label} /> : <i class="skeleton" />}</div>;
}
