import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Button, Icon } from "../core/parts";
import type { Actions } from "./actions";
import { MenuItem } from "./menu";

interface Row {
  id: string;
  title: string;
  turn_count: number;
  updated_at: string;
}

const SEARCH_AFTER_MS = 200;

/** The kept conversations: find one, begin one, rename or delete the one that is shown. */
export function Conversations({ at, close }: { at: Actions; close: () => void }) {
  const rows = useSignal<Row[] | null>(null);
  const search = useSignal("");
  const asking = useSignal<"rename" | "delete" | null>(null);
  const problem = useSignal("");
  const about = at.chat.about.value;
  useEffect(() => {
    const timer = setTimeout(
      () =>
        void at.rpc
          .call<Row[]>("conversations", { search: search.value })
          .then((found) => (rows.value = found))
          .catch((error: Error) => (problem.value = error.message)),
      search.value ? SEARCH_AFTER_MS : 0,
    );
    return () => clearTimeout(timer);
  }, [search.value]);
  const run = (op: string, args: Record<string, unknown> = {}): void => {
    close();
    void at.run(op, args);
  };
  if (asking.value === "rename") return <Rename title={about.title} done={(title) => (title ? run("rename", { title }) : close())} />;
  if (asking.value === "delete")
    return (
      <div class="ask-first" role="alertdialog" aria-label="Delete this conversation?">
        <span>
          {about.title} with all its branches and pictures. This cannot be undone.
        </span>
        <Button icon="trash" onClick={() => run("delete", { id: about.id })}>
          Delete conversation
        </Button>
        <Button look="plain" onClick={close}>
          Keep
        </Button>
      </div>
    );
  return (
    <>
      <label class="affix">
        <Icon name="search" />
        <input class="field" aria-label="Search conversations" placeholder="Search titles and texts" value={search.value} onInput={(event) => (search.value = event.currentTarget.value)} />
      </label>
      {problem.value && <div class="title">{problem.value}</div>}
      {rows.value === null && !problem.value && <div class="title">Looking…</div>}
      {rows.value?.length === 0 && <div class="title">{search.value ? `None has “${search.value}” in it.` : "None is kept yet."}</div>}
      {rows.value?.map((row) => (
        <MenuItem
          key={row.id}
          current={row.id === about.id}
          disabled={at.busy.value}
          end={`${row.turn_count} ${row.turn_count === 1 ? "turn" : "turns"}, ${when(row.updated_at)}`}
          onClick={() => run("open", { id: row.id })}
        >
          {row.title || "untitled"}
        </MenuItem>
      ))}
      <hr />
      <MenuItem icon="plus" disabled={at.busy.value} onClick={() => run("new")}>
        New conversation
      </MenuItem>
      {about.id && (
        <>
          <MenuItem icon="edit" onClick={() => (asking.value = "rename")}>
            Rename this one…
          </MenuItem>
          <MenuItem icon="trash" onClick={() => (asking.value = "delete")}>
            Delete this one…
          </MenuItem>
        </>
      )}
    </>
  );
}

function Rename({ title, done }: { title: string; done: (title: string) => void }) {
  const text = useSignal(title);
  return (
    <form
      class="ask-first"
      onSubmit={(event) => {
        event.preventDefault();
        done(text.value.trim());
      }}
    >
      <input ref={(box) => box?.focus()} class="field" aria-label="Title" maxLength={255} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
      <Button type="submit" disabled={!text.value.trim()}>
        Rename
      </Button>
      <Button look="plain" onClick={() => done("")}>
        Cancel
      </Button>
    </form>
  );
}

/** `14:20` today, else the date. */
function when(moment: string): string {
  const date = new Date(moment);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }) : date.toLocaleDateString([], { day: "numeric", month: "short" });
}
