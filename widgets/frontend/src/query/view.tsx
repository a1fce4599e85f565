import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Menu, MenuItem } from "../chat/menu";
import { copyText } from "../core/clipboard";
import { Button, Icon, IconButton, LinkBanner } from "../core/parts";
import { ChartPane } from "./chart";
import { Editor, type Desk } from "./editor";
import { asPython, type Files } from "./export";
import type { CellFaces } from "./faces";
import { Grid } from "./grid";
import { RunBar } from "./runbar";
import { Schema } from "./schema";
import { Side } from "./side";
import { dropSnippet, keepSnippet, keptSnippets, READY } from "./snippets";
import type { QueryState } from "./state";
import { Oops, Unavailable } from "./trouble";

const SLOW_MS = 300;
const TO_GALLERY = "Show in the gallery";
const SELECTION = "What is selected in the gallery?";

interface Props {
  state: QueryState;
  faces: CellFaces;
  files: Files;
  height: number;
  bare: boolean;
}

export function QueryView({ state, faces, files, height, bare }: Props) {
  const desk = useRef<Desk>({ insert: () => {}, focus: () => {} }).current;
  const narrowTree = useSignal(false);
  const run = (): void => {
    if (state.sql.peek().trim()) state.start(state.sql.peek());
  };
  const put = (sql: string): void => {
    state.sql.value = sql;
    desk.focus();
  };
  return (
    <section class={`pane query-pane${bare ? " bare" : ""}`} aria-label="Query" style={{ height: `${height}px` }} onFocusIn={() => void state.rpc.probe()}>
      <header class="head">
        <h2>Query</h2>
        <span class="of">this store, read only</span>
        <span class="grow" />
        <History state={state} put={put} />
        <Snippets state={state} put={put} />
        <span class="only-narrow">
          <IconButton icon="table" name="Schema" aria-pressed={narrowTree.value} onClick={() => (narrowTree.value = !narrowTree.value)} />
        </span>
        <CopyPython state={state} />
      </header>
      <LinkBanner rpc={state.rpc} />
      <div class={`query${narrowTree.value ? " with-tree" : ""}`}>
        <Schema state={state} desk={desk} />
        <div class="work">
          <Editor state={state} desk={desk} run={run} />
          <RunBar state={state} run={run} />
          <Body state={state} faces={faces} files={files} desk={desk} run={run} />
        </div>
      </div>
      {!(bare && state.run.value.number === 0) && <Ledger state={state} />}
    </section>
  );
}

function Body({ state, faces, files, desk, run }: { state: QueryState; faces: CellFaces; files: Files; desk: Desk; run(): void }) {
  const { number, error, state: now } = state.run.value;
  if (error?.at === "editor") return <Oops state={state} desk={desk} run={run} />;
  if (number === 0 && now === "running") return <Ghosts />;
  if (number === 0) return isUnavailable(state) ? <Unavailable state={state} /> : <First state={state} run={run} />;
  const isChart = state.shown.value === "chart";
  const tab = (name: string, words: string) => (
    <button
      type="button"
      role="tab"
      id={`tab-${name}`}
      aria-selected={state.shown.value === name}
      aria-controls="result"
      tabIndex={state.shown.value === name ? 0 : -1}
      onClick={() => (state.shown.value = name)}
      onKeyDown={(event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        state.shown.value = isChart ? "table" : "chart";
        event.currentTarget.parentElement!.querySelector<HTMLElement>(`#tab-${state.shown.peek()}`)!.focus();
      }}
    >
      {words}
      {name === "table" && <span class="count">{state.count.value.toLocaleString("en")}</span>}
    </button>
  );
  return (
    <>
      <div class="tabs">
        <div role="tablist" aria-label="Result as">
          {tab("table", "Table")}
          {tab("chart", "Chart")}
        </div>
        <Filter state={state} />
        {state.selected.value.size > 0 && <CopyRows state={state} />}
        {state.run.value.beside && state.run.value.pictures.length > 0 && (
          <Button icon="image" look="plain" aria-label={TO_GALLERY} title={TO_GALLERY} onClick={() => void state.toGallery()}>
            <span class="hide-narrow">{TO_GALLERY}</span>
          </Button>
        )}
        <Menu name="Export" label="Export" icon="download" look="plain" end>
          {(close) =>
            (["csv", "parquet", "json"] as const).map((format) => (
              <MenuItem
                end={`.${format}`}
                onClick={() => {
                  close();
                  files.make(format);
                }}
              >
                All rows as {{ csv: "CSV", parquet: "Parquet", json: "JSON" }[format]}
              </MenuItem>
            ))
          }
        </Menu>
      </div>
      <Truncated state={state} />
      <div id="result" role="tabpanel" aria-labelledby={`tab-${state.shown.value}`} class="shown">
        {isChart ? <ChartPane state={state} /> : <TableView state={state} faces={faces} />}
      </div>
    </>
  );
}

/** The tables could not be read, and never were. */
export const isUnavailable = (state: QueryState): boolean => state.tables.value === null && state.schemaError.value !== "";

function TableView({ state, faces }: { state: QueryState; faces: CellFaces }) {
  const box = useRef<HTMLDivElement>(null);
  if (state.count.value === 0)
    return (
      <p class="note" role="status">
        <b>0 rows</b>
        {state.run.value.where ? (
          <>
            . No row passes the filter.{" "}
            <button type="button" class="link" onClick={() => state.arrange(state.order.peek(), "")}>
              Clear the filter
            </button>
          </>
        ) : (
          " have all of what the statement asks for."
        )}
      </p>
    );
  return (
    <div ref={box} class="table-side">
      <Grid key={(state.run.value.fields ?? []).join("\n")} state={state} faces={faces} />
      {state.panel.value && <Side state={state} faces={faces} back={() => box.current?.querySelector<HTMLElement>("[role=grid]")?.focus()} />}
    </div>
  );
}

function Filter({ state }: { state: QueryState }) {
  const typed = useSignal("");
  const { where = "", error } = state.run.value;
  const wrong = error?.at === "filter" ? error.message : "";
  useSignalEffect(() => {
    const { where = "", error } = state.run.value;
    if (error?.at !== "filter") typed.value = where;
  });
  return (
    <span class={`affix filter-rows${wrong ? " bad" : ""}`}>
      <Icon name="filter" />
      <input
        class="field mono"
        aria-label="Filter the rows"
        placeholder="Filter: rating >= 4"
        spellcheck={false}
        value={typed.value}
        aria-invalid={!!wrong}
        aria-describedby={wrong ? "filter-wrong" : undefined}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") state.arrange(state.order.peek(), typed.peek());
          if (event.key === "Escape" && (typed.peek() || where)) {
            typed.value = "";
            if (where || wrong) state.arrange(state.order.peek(), "");
          }
        }}
      />
      {where && <IconButton icon="close" name="Clear the filter" onClick={() => state.arrange(state.order.peek(), "")} />}
      {wrong && (
        <span class="filter-wrong" id="filter-wrong" role="alert">
          {wrong.split("\n")[0]}
        </span>
      )}
    </span>
  );
}

function CopyRows({ state }: { state: QueryState }) {
  const count = state.selected.value.size;
  const copy = async (form: "tsv" | "json", close: () => void): Promise<void> => {
    close();
    if (await copyText(await state.copied(form))) state.said.value = `${count === 1 ? "1 row" : `${count} rows`} copied`;
  };
  return (
    <Menu name="Copy the selected rows" label={`${count} selected`} icon="copy" look="plain" end>
      {(close) => (
        <>
          <MenuItem onClick={() => void copy("tsv", close)}>Copy for a spreadsheet</MenuItem>
          <MenuItem onClick={() => void copy("json", close)}>Copy as JSON</MenuItem>
          <MenuItem
            onClick={() => {
              close();
              state.select([]);
            }}
          >
            Select none
          </MenuItem>
        </>
      )}
    </Menu>
  );
}

function Truncated({ state }: { state: QueryState }) {
  const { truncated, count = 0, number } = state.run.value;
  if (!truncated) return null;
  const total = state.summary.value?.number === number ? state.summary.value.total : 0;
  return (
    <div class="banner warn" role="status">
      <Icon name="warn" />
      <span class="text">
        <b>The first {count.toLocaleString("en")} rows{total > count ? ` of ${total.toLocaleString("en")}` : ""}.</b> Order, filter, charts, files and <code>.df()</code> take all of them.
      </span>
    </div>
  );
}

function Ghosts() {
  const slow = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => (slow.value = true), SLOW_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!slow.value) return <div class="ghosts" />;
  return (
    <div class="ghosts" role="status" aria-label="Waiting for the rows">
      <i />
      <i />
      <i />
    </div>
  );
}

function First({ state, run }: { state: QueryState; run(): void }) {
  return (
    <div class="first scroll">
      <h3>Ask your own history</h3>
      <p class="quiet-text">
        Every chat reply, task and image is one row of <code class="inline">runs</code>. Start from one of these.
      </p>
      <ul class="plain">
        {READY.map(({ name, sql }, number) => (
          <li>
            <span class="cut">
              <b>{name}</b>
              <code class="cut">{sql.replace(/\s+/g, " ")}</code>
            </span>
            <Button
              icon="play"
              look={number === 0 ? "primary" : ""}
              aria-label={`Run: ${name}`}
              onClick={() => {
                state.sql.value = sql;
                run();
              }}
            >
              Run
            </Button>
          </li>
        ))}
        {state.run.value.beside && (
          <li>
            <span class="cut">
              <b>{SELECTION}</b>
              <span class="quiet-text small cut">{state.said.value || "Their rows, with everything that is kept about them"}</span>
            </span>
            <Button icon="play" aria-label={`Run: ${SELECTION}`} onClick={() => state.about()}>
              Run
            </Button>
          </li>
        )}
      </ul>
    </div>
  );
}

function History({ state, put }: { state: QueryState; put(sql: string): void }) {
  const all = state.history.value;
  return (
    <span class="hide-narrow">
      <Menu name="History" label="History" look="plain" end disabled={all.length === 0}>
        {(close) =>
          [...all].reverse().map((sql) => (
            <MenuItem
              onClick={() => {
                close();
                put(sql);
              }}
            >
              <code>{sql.replace(/\s+/g, " ").slice(0, 120)}</code>
            </MenuItem>
          ))
        }
      </Menu>
    </span>
  );
}

function Snippets({ state, put }: { state: QueryState; put(sql: string): void }) {
  const name = useSignal("");
  const turn = useSignal(0);
  turn.value;
  const keep = (): void => {
    const words = name.peek().trim();
    if (!words || !state.sql.peek().trim()) return;
    keepSnippet(words, state.sql.peek());
    name.value = "";
    turn.value++;
  };
  return (
    <span class="hide-narrow">
      <Menu name="Snippets" label="Snippets" look="plain" end>
        {(close) => (
          <>
            {state.run.value.beside && (
              <MenuItem
                onClick={() => {
                  close();
                  state.about();
                }}
              >
                {SELECTION}
              </MenuItem>
            )}
            {[...keptSnippets().map((one) => ({ ...one, own: true })), ...READY.map((one) => ({ ...one, own: false }))].map(({ name: words, sql, own }) => (
              <div class="kept" key={words}>
                <MenuItem
                  onClick={() => {
                    close();
                    put(sql);
                  }}
                >
                  {words}
                </MenuItem>
                {own && (
                  <IconButton
                    icon="trash"
                    name={`Forget ${words}`}
                    onClick={() => {
                      dropSnippet(words);
                      turn.value++;
                    }}
                  />
                )}
              </div>
            ))}
            <div class="keep">
              <input class="field" aria-label="Name of a new snippet" placeholder="Keep the statement as…" value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && keep()} />
              <Button disabled={!name.value.trim() || !state.sql.value.trim()} onClick={keep}>
                Keep
              </Button>
            </div>
          </>
        )}
      </Menu>
    </span>
  );
}

function CopyPython({ state }: { state: QueryState }) {
  const copy = async (): Promise<void> => {
    const { statement, parameters = {}, number } = state.run.peek();
    if (await copyText(asPython(number > 0 ? statement! : state.sql.peek(), parameters))) state.said.value = "Copied as Python";
  };
  return <IconButton icon="python" name="Copy as Python" onClick={() => void copy()} />;
}

function Ledger({ state }: { state: QueryState }) {
  const { number, count = 0, fields = [], ms = 0, at = 0, gallery, spared } = state.run.value;
  const chosen = state.selected.value.size;
  return (
    <footer class="ledger">
      {number > 0 && (
        <>
          <span>
            <b>{count.toLocaleString("en")}</b> {count === 1 ? "row" : "rows"}
          </span>
          <span>
            <b>{fields.length}</b> {fields.length === 1 ? "column" : "columns"}
          </span>
          <span>
            <b>{ms < 10 ? ms.toFixed(1) : Math.round(ms).toLocaleString("en")}</b> ms
          </span>
          {chosen > 0 && (
            <span>
              <b>{chosen}</b> selected
            </span>
          )}
        </>
      )}
      <span class="end">
        <span role="status" class="cut">
          {state.said.value}
        </span>
        {spared && number > 0 && count > 0 && !state.summary.value && (
          <button type="button" class="link" title="This server may take 10 questions a minute. They take one or two, so they are read only when asked for." onClick={() => state.summarise()}>
            Read the summaries
          </button>
        )}
        {gallery && typeof gallery.shown === "number" && <span>{gallery.shown.toLocaleString("en")} shown in the gallery</span>}
        {number > 0 && <span class="hide-narrow">As of {new Date(at).toLocaleTimeString("en-GB")}</span>}
      </span>
    </footer>
  );
}
