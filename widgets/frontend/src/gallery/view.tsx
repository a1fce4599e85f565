import { useComputed, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ComponentChildren } from "preact";
import { copyText } from "../core/clipboard";
import { Button, Icon, IconButton, LinkBanner, State } from "../core/parts";
import { listed } from "./captions";
import { Compare } from "./compare";
import { Dialog } from "./dialog";
import { whyNone } from "./filter";
import { Grid, SIZES, type Size } from "./grid";
import type { Item, TileState } from "./items";
import { Lightbox, type Tools } from "./lightbox";
import { Rating } from "./rating";
import type { Sort } from "./state";

const TYPING_MS = 250;
const LOADING_MS = 300;
const SORTS: Record<Sort, string> = { newest: "Newest first", oldest: "Oldest first", rating: "Best rated first", seed: "By seed", time: "Longest first" };
const STATES: Record<TileState | "any", string> = { any: "Any state", complete: "Complete", running: "Running", queued: "Queued", failed: "Failed" };
const KEYS: [keys: string, what: string][] = [
  ["← → ↑ ↓, Home, End, Page", "move"],
  ["Space, Shift + arrows, Ctrl A", "select"],
  ["Enter", "open"],
  ["1 to 5, 0, X", "rate, clear, reject"],
  ["C", "compare the two selected"],
  ["U", "reuse the parameters"],
  ["R", "retry what failed"],
  ["Delete", "cancel, or delete after asking"],
  ["Esc", "clear the selection, close"],
  ["+ − 0", "zoom, in the large view"],
];

interface Props {
  tools: Tools;
  drawn: Set<string>;
  height: number;
  bare: boolean;
  size: Signal<Size>;
}

export function GalleryView({ tools, drawn, height, bare, size }: Props) {
  const { rpc, state, deeds } = tools;
  const open = useSignal("");
  const pair = useSignal<[string, string] | null>(null);
  const keys = useSignal(false);
  const slow = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => (slow.value = true), LOADING_MS);
    return () => clearTimeout(timer);
  }, []);
  useSignalEffect(() => rpc.watch(state.counts.value.running + state.counts.value.queued > 0));

  const compare = (): void => {
    const chosen = [...new Set([...state.chosen, ...state.targets])];
    if (chosen.length === 2) pair.value = [chosen[0]!.key, chosen[1]!.key];
    else deeds.say("Select two images to compare");
  };
  const two = pair.value?.map((key) => state.find(key));
  return (
    <section
      class={`pane gallery${bare ? " bare" : ""}`}
      aria-label="Gallery"
      style={{ height: `${height}px` }}
      onFocusIn={() => void rpc.probe()}
      onKeyDown={(event) => {
        if ((event.ctrlKey || event.metaKey) && event.key === "/") keys.value = true;
      }}
    >
      {!bare && <Head tools={tools} size={size} showKeys={() => (keys.value = true)} />}
      <LinkBanner rpc={rpc} />
      <Trouble tools={tools} />
      <Picked tools={tools} />
      {state.selection.value.size > 0 ? <Chosen tools={tools} compare={compare} /> : <Filters tools={tools} />}
      <Body tools={tools} slow={slow.value}>
        <Grid state={state} faces={tools.faces} deeds={deeds} size={size.value} drawn={drawn} open={(item) => (open.value = item.key)} compare={compare} />
      </Body>
      <Ledger tools={tools} room={SIZES[size.value][1]} />
      {open.value && <Lightbox tools={tools} shown={open} />}
      {two?.[0] && two[1] && <Compare tools={tools} one={two[0]} other={two[1]} close={() => (pair.value = null)} />}
      {deeds.doomed.value.length > 0 && <AskDelete tools={tools} />}
      {keys.value && <Keys close={() => (keys.value = false)} />}
    </section>
  );
}

function Head({ tools: { state, deeds }, size, showKeys }: { tools: Tools; size: Signal<Size>; showKeys(): void }) {
  const { all } = state.counts.value;
  return (
    <header class="head">
      <h2>Gallery</h2>
      {state.title.value && <span class="of">{state.title.value}</span>}
      <span class="of hide-narrow">{all === 0 ? "no images yet" : all === 1 ? "1 image" : `${all} images`}</span>
      <span class="grow" />
      <span class="segment hide-narrow" role="group" aria-label="Tile size">
        {(["S", "M", "L"] as const).map((name) => (
          <button type="button" aria-pressed={size.value === name} onClick={() => (size.value = name)}>
            {name}
          </button>
        ))}
      </span>
      <IconButton icon="snapshot" name="Save a contact sheet" onClick={() => void deeds.snapshot()} />
      <IconButton icon="more" name="Keys (Ctrl /)" onClick={showKeys} />
    </header>
  );
}

function Trouble({ tools: { state, deeds } }: { tools: Tools }) {
  const text = deeds.refused.value || state.trouble.value;
  if (!text) return null;
  return (
    <div class="banner danger" role="alert">
      <Icon name="failed" />
      <span class="text">{text}</span>
      {deeds.refused.value && <IconButton icon="close" name="Dismiss" onClick={() => (deeds.refused.value = "")} />}
    </div>
  );
}

/** Says that Python, or a query, chose what is shown. */
function Picked({ tools: { state, rpc } }: { tools: Tools }) {
  const count = state.picked.value;
  if (count === null) return null;
  return (
    <div class="banner" role="status">
      <Icon name="filter" />
      <span class="text">{count === 1 ? "1 generation is" : `${count} generations are`} shown, chosen by a query or from Python.</span>
      <Button onClick={() => void rpc.call("show_all").catch(() => {})}>Show all</Button>
    </div>
  );
}

function Filters({ tools: { state } }: { tools: Tools }) {
  const typed = useSignal(state.filter.peek());
  const wrong = state.filterError.value;
  useSignalEffect(() => {
    typed.value = state.filter.value; // Python may set it, too
  });
  useSignalEffect(() => {
    const text = typed.value;
    const timer = setTimeout(() => text !== state.filter.peek() && state.setFilter(text), TYPING_MS);
    return () => clearTimeout(timer);
  });
  return (
    <div class="filter">
      <span class={`affix${wrong ? " bad" : ""}`}>
        <Icon name="filter" />
        <input
          class="field"
          aria-label="Filter"
          placeholder="Filter: cfg_scale >= 5 and rating >= 4"
          spellcheck={false}
          value={typed.value}
          aria-invalid={!!wrong}
          aria-describedby={wrong ? "filter-error" : undefined}
          onInput={(event) => (typed.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter") state.setFilter(typed.peek());
            if (event.key === "Escape") state.setFilter("");
          }}
        />
      </span>
      <select class="hide-narrow" aria-label="State" value={state.only.value} onChange={(event) => ((state.only.value = event.currentTarget.value as TileState), state.arrange())}>
        {Object.entries(STATES).map(([value, words]) => (
          <option value={value}>{words}</option>
        ))}
      </select>
      <select aria-label="Sort" value={state.sort.value} onChange={(event) => ((state.sort.value = event.currentTarget.value as Sort), state.arrange())}>
        {Object.entries(SORTS).map(([value, words]) => (
          <option value={value}>{words}</option>
        ))}
      </select>
      {wrong && (
        <p class="filter-error" id="filter-error" role="alert">
          {wrong.message}
        </p>
      )}
    </div>
  );
}

function Chosen({ tools: { state, deeds }, compare }: { tools: Tools; compare(): void }) {
  const chosen = state.chosen;
  const [first] = chosen;
  const same = chosen.every((item) => item.rating === first?.rating) ? first?.rating : undefined;
  const clear = (): void => {
    state.select([]);
    deeds.tellSelection();
  };
  const copy = async (): Promise<void> => {
    const ids = [...new Set(chosen.map(({ row }) => row.id))];
    if (await copyText(`generations = [workbench.generations.get(id).result() for id in ${JSON.stringify(ids)}]`)) deeds.say("Copied as Python");
  };
  return (
    <div class="filter chosen" role="toolbar" aria-label="Selection">
      <b>{chosen.length} selected</b>
      <span class="grow" />
      <Button icon="compare" disabled={chosen.length !== 2} title="Compare two (C)" onClick={compare}>
        Compare
      </Button>
      <Button icon="reuse" disabled={chosen.length !== 1} title="Reuse parameters (U)" onClick={() => void deeds.reuse(first)}>
        <span class="hide-narrow">Reuse parameters</span>
      </Button>
      <span class="hide-narrow">
        <Rating value={same} rate={(rating) => void deeds.rate(chosen, rating)} />
      </span>
      <IconButton icon="python" name="Copy as Python" onClick={() => void copy()} />
      <IconButton icon="download" name="Download" onClick={() => void deeds.save(chosen)} />
      <IconButton icon="trash" name="Delete" onClick={() => void deeds.remove(chosen)} />
      <IconButton icon="close" name="Clear the selection" onClick={clear} />
    </div>
  );
}

function Body({ tools: { rpc, state }, slow, children }: { tools: Tools; slow: boolean; children: ComponentChildren }) {
  const nothing = state.items.value.length === 0;
  const { all } = state.counts.value;
  if (!rpc.met.value)
    return (
      <div class="empty" role="status">
        {slow && (
          <>
            <p class="quiet-text">Waiting for the kernel to list the images…</p>
            <div class="ghosts">
              <i />
              <i />
              <i />
              <i />
            </div>
          </>
        )}
      </div>
    );
  if (all === 0 && state.complete.value)
    return (
      <div class="empty">
        <h3>No images yet</h3>
        <p class="quiet-text">Whatever you generate {state.title.value ? "in this session" : "here"} appears here, also from Python and from other notebooks.</p>
      </div>
    );
  if (nothing && state.complete.value)
    return (
      <div class="empty">
        <p class="quiet-text" role="status">
          None of {all} images match. {whyNone(state.expression, state.everything())}{" "}
          <button
            type="button"
            class="link"
            onClick={() => {
              state.only.value = "any";
              state.setFilter("");
            }}
          >
            Clear the filter
          </button>
        </p>
      </div>
    );
  return (
    <div class="body">
      {state.held.value > 0 && (
        <button
          type="button"
          class="btn fresh"
          onClick={(event) => {
            const list = event.currentTarget.parentElement!.querySelector<HTMLElement>(".tiles")!;
            list.scrollTop = 0;
            list.focus({ preventScroll: true }); // this button goes away
          }}
        >
          {state.held.value === 1 ? "1 new image above" : `${state.held.value} new images above`}
        </button>
      )}
      {children}
    </div>
  );
}

function Ledger({ tools: { rpc, state, deeds }, room }: { tools: Tools; room: number }) {
  const { all, running, queued, failed } = state.counts.value;
  const shown = state.items.value.length;
  const open = running + queued;
  const wait = Math.ceil(state.secondsOpen);
  const names = state.differs.value.slice(0, room);
  const cancelAll = (): void => void deeds.cancel(state.everything());
  const told = useComputed(() => (rpc.met.value && !state.complete.value ? "reading the rest…" : ""));
  return (
    <footer class="ledger">
      {running > 0 && (
        <span>
          <State kind="running">
            <b>{running}</b> running
          </State>
        </span>
      )}
      {queued > 0 && (
        <span>
          <State kind="queued">
            <b>{queued}</b> queued{wait > 0 ? `, ${wait} s` : ""}
          </State>
        </span>
      )}
      {failed > 0 && (
        <span>
          <State kind="failed">{failed} failed</State>
        </span>
      )}
      {open === 0 && all > 0 && (
        <span>
          <b>{shown}</b>
          {shown < all ? ` of ${all} shown` : " shown"}
          {told.value && `, ${told.value}`}
        </span>
      )}
      <span class="end">
        <span role="status" class="cut">
          {deeds.said.value}
        </span>
        {!deeds.said.value && open === 0 && shown > 1 && names.length > 0 && <span class="hide-narrow">Captions show what differs: {listed(names)}</span>}
        {open > 0 && (
          <Button look="plain" icon="close" onClick={cancelAll}>
            Cancel {open}
          </Button>
        )}
      </span>
    </footer>
  );
}

function AskDelete({ tools: { deeds } }: { tools: Tools }) {
  const items: readonly Item[] = deeds.doomed.value;
  const runs = new Map(items.map(({ row }) => [row.id, row.outputs.length]));
  const pictures = [...runs.values()].reduce((sum, count) => sum + Math.max(1, count), 0);
  const what = pictures === 1 ? "1 image" : `${pictures} images`;
  const close = (): void => void (deeds.doomed.value = []);
  return (
    <Dialog label={`Delete ${what}`} look="ask" close={close}>
      <h3>Delete {what}?</h3>
      <p>
        {pictures > items.length ? "A generation is deleted with all its images. " : ""}
        Spoon's copies of the files are deleted too; ComfyUI's own stay.
      </p>
      <footer>
        <Button autofocus onClick={close}>
          Keep
        </Button>
        <Button look="primary" icon="trash" onClick={() => void deeds.removeDoomed()}>
          Delete {what}
        </Button>
      </footer>
    </Dialog>
  );
}

function Keys({ close }: { close(): void }) {
  return (
    <Dialog label="Keys of the gallery" look="ask" close={close}>
      <h3>Keys</h3>
      <table class="sheet">
        <tbody>
          {KEYS.map(([keys, what]) => (
            <tr>
              <th scope="row">{keys}</th>
              <td>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <footer>
        <Button onClick={close}>Close</Button>
      </footer>
    </Dialog>
  );
}
