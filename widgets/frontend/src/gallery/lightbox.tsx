import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Button, CopyButton, Icon, IconButton } from "../core/parts";
import type { Rpc } from "../core/rpc";
import type { Generation } from "../core/types";
import { spoken } from "./captions";
import type { Deeds } from "./deeds";
import { Dialog } from "./dialog";
import type { Faces } from "./faces";
import type { Item } from "./items";
import { download, type Original, type Originals } from "./originals";
import { Rating } from "./rating";
import { moment, valuesOf } from "./sheet";
import type { GalleryState } from "./state";
import { ViewPoint, ZoomBox } from "./zoom";

const STRIP = 4;
const AHEAD_MS = 200;

export interface Tools {
  rpc: Rpc;
  state: GalleryState;
  deeds: Deeds;
  faces: Faces;
  originals: Originals;
  /** Keys whose thumbnails are wanted beside those of the grid. */
  strip: Set<string>;
}

/** One picture large, with everything about how it was made. `shown` is its key; "" closes it. */
export function Lightbox({ tools, shown }: { tools: Tools; shown: Signal<string> }) {
  const { state, deeds } = tools;
  const view = useMemo(() => new ViewPoint(), []);
  const item = state.find(shown.value);
  const place = state.place(shown.value);
  const items = state.items.value;
  const close = (): void => {
    shown.value = "";
  };
  useEffect(() => {
    if (!item) close(); // it was deleted
  });
  if (!item) return null;
  const go = (to: number): void => {
    const next = items[to];
    if (!next) return;
    view.fit();
    shown.value = next.key;
    state.moveTo(next.key);
  };
  const rate = (rating: number | null): void => void deeds.rate([item], rating);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(VIDEO|AUDIO|TEXTAREA)$/.test((event.target as Element).tagName)) return;
    const { key } = event;
    if (key === "ArrowLeft") go(place - 1);
    else if (key === "ArrowRight") go(place + 1);
    else if (/^[1-5]$/.test(key)) rate(Number(key));
    else if (key === "x" || key === "X") rate(0);
    else if (key === "u" || key === "U") void deeds.reuse(item);
    else if (key === "r" || key === "R") void deeds.retry([item]);
    else if (key === "Delete") void deeds.remove([item]);
    else if (!view.key(key)) return;
    event.preventDefault();
  };
  return (
    <Dialog label={`Image ${place + 1} of ${items.length}`} look="box" close={close} onKeyDown={onKeyDown}>
      <div class="view">
        <Large tools={tools} item={item} view={view} />
        <ZoomButtons view={view} />
        <button class="over l" aria-label="Previous" disabled={place <= 0} onClick={() => go(place - 1)}>
          <Icon name="left" />
        </button>
        <button class="over r" aria-label="Next" disabled={place >= items.length - 1} onClick={() => go(place + 1)}>
          <Icon name="right" />
        </button>
        <Strip tools={tools} place={place} go={go} />
      </div>
      <div class="meta">
        <header>
          <b>{`${place + 1} of ${items.length}`}</b>
          <span class="grow" />
          <Rating value={item.rating} rate={rate} />
          <IconButton icon="close" name="Close" onClick={close} />
        </header>
        <Details tools={tools} item={item} before={items[place - 1]} />
        <span class="note" role="status">
          {deeds.refused.value || deeds.said.value}
        </span>
      </div>
    </Dialog>
  );
}

export function ZoomButtons({ view }: { view: ViewPoint }) {
  return (
    <div class="zoom" role="group" aria-label="Zoom">
      <button type="button" onClick={() => view.fit()} title="Fit (0)">
        Fit
      </button>
      <button type="button" onClick={() => view.actual()}>
        100 %
      </button>
      <button type="button" aria-label="Smaller" title="Smaller (−)" onClick={() => view.step(-1)}>
        −
      </button>
      <button type="button" aria-label="Larger" title="Larger (+)" onClick={() => view.step(1)}>
        +
      </button>
    </div>
  );
}

/** The file of a tile once it is there, and meanwhile why not. */
export function useOriginal(originals: Originals, item: Item): { file: Original | null; wait: string } {
  const file = useSignal<Original | null>(null);
  const wait = useSignal("");
  useEffect(() => {
    let gone = false;
    file.value = null;
    wait.value = item.output?.file ? "" : item.open ? "It is still being made." : item.row.error || "There is no file to show.";
    if (!item.output?.file) return;
    const progress = (share: number): void => {
      if (!gone) wait.value = `${Math.round(share * 100)} %`;
    };
    originals.get(item, progress).then(
      (found) => {
        if (gone) return;
        file.value = found;
        wait.value = "";
      },
      (error: Error) => !gone && (wait.value = error.message),
    );
    return () => {
      gone = true;
    };
  }, [item.key, item.output?.file]);
  return { file: file.value, wait: wait.value };
}

function Large({ tools, item, view }: { tools: Tools; item: Item; view: ViewPoint }) {
  const { file, wait } = useOriginal(tools.originals, item);
  const { state, originals } = tools;
  const alt = spoken(item, state.differs.value) || "Image";
  useEffect(() => {
    const next = state.items.peek()[state.place(item.key) + 1];
    if (!file || next?.output?.kind !== "image" || !next.output.file) return;
    const timer = setTimeout(() => void originals.get(next).catch(() => {}), AHEAD_MS);
    return () => clearTimeout(timer);
  }, [item.key, file]);
  const kind = item.output?.kind;
  if (file && kind === "video") return <video key={file.url} class="plays" src={file.url} controls autoplay loop aria-label={alt} />;
  if (file && kind === "audio") return <audio key={file.url} class="plays" src={file.url} controls aria-label={alt} />;
  const small = tools.faces.of(item).value.url;
  return (
    <ZoomBox view={view}>
      <div class="layer">
        {file ? <img key={item.key} src={file.url} alt={alt} draggable={false} /> : small && <img src={small} alt={alt} class="small" />}
      </div>
      {wait && <span class="wait">{wait}</span>}
    </ZoomBox>
  );
}

function Strip({ tools, place, go }: { tools: Tools; place: number; go(to: number): void }) {
  const items = tools.state.items.value;
  const from = Math.max(0, Math.min(place - STRIP, items.length - 2 * STRIP - 1));
  const near = items.slice(from, from + 2 * STRIP + 1);
  tools.strip.clear();
  near.forEach((item) => tools.strip.add(item.key));
  return (
    <div class="strip">
      {near.map((item, index) => {
        const { url } = tools.faces.of(item).value;
        const now = from + index === place ? "now" : "";
        return url ? (
          <img key={item.key} src={url} alt="" class={now} onClick={() => go(from + index)} />
        ) : (
          <i key={item.key} class={now} onClick={() => go(from + index)} />
        );
      })}
    </div>
  );
}

/** Everything that the kernel knows about a generation. */
export function useDetails(rpc: Rpc, item: Item): { details: Generation | null; trouble: string } {
  const details = useSignal<Generation | null>(null);
  const trouble = useSignal("");
  useEffect(() => {
    let gone = false;
    rpc.call<Generation>("details", { id: item.row.id }).then(
      (found) => !gone && (details.value = found),
      (error: Error) => !gone && (trouble.value = error.message),
    );
    return () => {
      gone = true;
    };
  }, [item.row.id, item.row.status]);
  const found = details.value;
  return { details: found?.id === item.row.id ? found : null, trouble: trouble.value };
}

function Details({ tools, item, before }: { tools: Tools; item: Item; before: Item | undefined }) {
  const { details, trouble } = useDetails(tools.rpc, item);
  const json = useSignal("");
  const { deeds } = tools;
  useEffect(() => {
    json.value = "";
  }, [item.row.id]);
  const showJson = async (): Promise<void> => {
    if (json.peek()) return void (json.value = "");
    const told = await tools.rpc.call<{ json: string }>("workflow", { id: item.row.id }).catch((error: Error) => ({ json: error.message }));
    json.value = told.json;
  };
  return (
    <>
      <div class="scroll" tabindex={0} aria-label="About this image" role="region">
        {trouble && <p class="quiet-text">{trouble}</p>}
        {json.value ? (
          <>
            <h3>
              Workflow JSON
              <CopyButton text={() => json.value} />
              <Button look="plain" icon="download" onClick={() => download(new Blob([json.value], { type: "application/json" }), `${item.row.id}.json`)}>
                Download
              </Button>
            </h3>
            <pre class="json">{json.value}</pre>
          </>
        ) : (
          details && <Facts details={details} item={item} before={before} />
        )}
      </div>
      <footer>
        <Button look="primary" icon="reuse" title="Reuse parameters (U)" onClick={() => void deeds.reuse(item)}>
          Reuse parameters
        </Button>
        <Button icon="dice" onClick={() => void deeds.vary(item)}>
          Vary seed
        </Button>
        <span class="icons">
        <IconButton icon="branch" name="Workflow JSON" aria-pressed={!!json.value} onClick={() => void showJson()} />
        <IconButton icon="download" name="Download the original" disabled={!item.output?.file} onClick={() => void deeds.save([item])} />
        {item.row.status === "failed" && <IconButton icon="retry" name="Retry" onClick={() => void deeds.retry([item])} />}
        <IconButton icon="trash" name={item.open ? "Cancel" : "Delete"} onClick={() => void deeds.remove([item])} />
        </span>
      </footer>
    </>
  );
}

function Facts({ details, item, before }: { details: Generation; item: Item; before: Item | undefined }) {
  const seed = item.row.seed?.toString() ?? "";
  const differs = changedSince(item, before);
  const took = details.generation_time_seconds;
  return (
    <>
      {details.error && <p class="failure">{details.error}</p>}
      {details.warnings?.map((warning) => <p class="quiet-text">{warning}</p>)}
      <h3>
        Prompt
        <CopyButton text={() => details.prompt_text} label="Copy" />
      </h3>
      <p class="prompt">{details.prompt_text || "none"}</p>
      {details.negative_prompt && (
        <>
          <h3>Negative</h3>
          <p class="prompt">{details.negative_prompt}</p>
        </>
      )}
      <h3>
        Parameters
        {seed && <CopyButton text={() => seed} label="Copy seed" />}
      </h3>
      <table class="sheet">
        <tbody>
          {valuesOf(details).map(([name, value]) => (
            <tr class={differs.has(name) ? "differs" : ""}>
              <th scope="row">{name}</th>
              <td>
                {differs.has(name) && <i class="dot" />}
                {value}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {differs.size > 0 && (
        <p class="tiny quiet-text">
          <i class="dot" /> unlike the image before
        </p>
      )}
      <h3>Made</h3>
      <p>
        {moment(details.created_at)}
        {took ? `, ${took.toFixed(1)} s` : ""}
        {details.cached ? ", from ComfyUI's cache" : ""}
      </p>
    </>
  );
}

/** Names, as in the table, of what is different from the tile before. */
function changedSince({ row }: Item, before: Item | undefined): Set<string> {
  if (!before) return new Set();
  const old = before.row;
  const pairs: [string, unknown, unknown][] = [
    ["Seed", row.seed, old.seed],
    ["Steps", row.steps, old.steps],
    ["Cfg scale", row.cfg_scale, old.cfg_scale],
    ["Sampler", row.sampler_name, old.sampler_name],
    ["Scheduler", row.scheduler, old.scheduler],
    ["Size", `${row.width} ${row.height}`, `${old.width} ${old.height}`],
    ["Checkpoint", row.checkpoint_name, old.checkpoint_name],
  ];
  return new Set(pairs.filter(([, one, other]) => one !== other).map(([name]) => name));
}
