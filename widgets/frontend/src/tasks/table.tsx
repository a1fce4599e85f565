import { Bar, Button, IconButton, State } from "../core/parts";
import { left, runs, type TaskList, type TaskRow } from "./state";

interface Acts {
  cancel: (row: TaskRow) => void;
  retry: (row: TaskRow) => void;
}

/** What runs, waits and has failed, one line each: the list at the foot of the workbench. */
export function TaskTable({ list, ...acts }: { list: TaskList } & Acts) {
  const rows = list.open.value;
  return (
    <table class="tasks">
      <caption class="sr">Running and waiting</caption>
      <thead>
        <tr>
          <th scope="col">Running and waiting</th>
          <th scope="col" class="where">
            With
          </th>
          <th scope="col">Progress</th>
          <th scope="col" class="r">
            Left
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Line key={row.id} row={row} {...acts} />
        ))}
        {rows.length === 0 && list.ready.value && (
          <tr>
            <td colSpan={5} class="quiet-text">
              Nothing at the moment
            </td>
          </tr>
        )}
      </tbody>
    </table>
  );
}

function Line({ row, cancel, retry }: { row: TaskRow } & Acts) {
  const percent = Math.round(row.progress * 100);
  const kind = row.status === "failed" ? "failed" : row.status === "pending" ? "queued" : "running";
  return (
    <tr>
      <td class="cut" title={row.name}>
        <State kind={kind}>
          <span class="sr">{kind}: </span>
          {row.name}
        </State>
      </td>
      <td class="cut where">{row.where}</td>
      {row.status === "failed" ? (
        <td colSpan={2} class="quiet-text cut" title={row.error ?? ""}>
          {row.error}
        </td>
      ) : (
        <>
          <td>{row.status === "pending" ? "waiting" : <Bar share={percent} label={`Progress of ${row.name}`} />}</td>
          <td class="r">{left(row.left_s)}</td>
        </>
      )}
      <td class="r">
        {runs(row) && <IconButton icon="stop" name={`Stop ${row.name}`} onClick={() => cancel(row)} />}
        {row.status === "failed" && row.kind === "task" && (
          <Button icon="retry" look="plain" onClick={() => retry(row)}>
            Retry
          </Button>
        )}
      </td>
    </tr>
  );
}
