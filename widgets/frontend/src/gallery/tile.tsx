import { Icon, State } from "../core/parts";
import { caption, spoken } from "./captions";
import type { Faces } from "./faces";
import type { Item } from "./items";
import type { GalleryState } from "./state";

export interface TileProps {
  item: Item;
  faces: Faces;
  state: GalleryState;
  /** Names of what differs, and how many of them a caption has room for. */
  names: readonly string[];
  room: number;
  chosen: boolean;
  at: boolean;
  place: number;
  count: number;
  style: string;
}

/** One tile. What it offers to the mouse are spans: an option of a listbox holds no controls, the keys do the same. */
export function Tile({ item, faces, state, names, room, chosen, at, place, count, style }: TileProps) {
  const face = faces.of(item).value;
  const kind = item.state;
  const error = item.row.error || face.error;
  const look = { queued: " waiting", running: " live", failed: " broken", complete: "" }[kind];
  return (
    <div
      id={optionId(item.key)}
      data-key={item.key}
      class={`tile${look}${chosen ? " on" : ""}${at ? " at" : ""}${item.rating === 0 ? " rejected" : ""}`}
      role="option"
      aria-selected={chosen}
      aria-setsize={count}
      aria-posinset={place + 1}
      aria-label={label(item, names, state, error)}
      style={style}
    >
      <div class="pic">
        {kind === "complete" && <Picture item={item} url={face.url} gone={face.gone ?? false} />}
        {kind === "running" && face.url && <img src={face.url} alt="" />}
        {kind === "queued" && (
          <span class="message">
            <State kind="queued" />
            {queued(state.ahead(item) - state.counts.value.running)}
          </span>
        )}
        {kind === "failed" && (
          <span class="message">
            <State kind="failed" />
            <span class="why" title={error}>
              {error || "Failed"}
            </span>
            <span class="btn" data-do="retry" title="Run it again (R)">
              <Icon name="retry" />
              Retry
            </span>
          </span>
        )}
        {kind === "running" && (
          <span class="bar" style={`--p:${Math.round(item.row.progress * 100)}`}>
            <i />
          </span>
        )}
        {item.open ? (
          <span class="cancel" data-do="cancel" title="Cancel (Delete)">
            <Icon name="close" />
          </span>
        ) : (
          <span class="tick" data-do="tick" title="Select (Space)" />
        )}
      </div>
      <div class="cap">
        {kind === "running" ? <State kind="running">{running(item, state)}</State> : <span class="cut">{caption(item, names, room)}</span>}
        {item.rating === 0 && <span class="rate">rejected</span>}
        {!!item.rating && (
          <span class="rate">
            {item.rating}
            <Icon name="star" />
          </span>
        )}
      </div>
    </div>
  );
}

function Picture({ item, url, gone }: { item: Item; url: string; gone: boolean }) {
  if (url) return <img src={url} alt="" decoding="async" draggable={false} />;
  const { kind, file } = item.output ?? { kind: "file", file: false };
  if (kind === "video" || kind === "audio")
    return (
      <span class="message">
        <Icon name="play" />
        {kind === "video" ? "Film" : "Sound"}
      </span>
    );
  if (gone || !item.output?.thumb)
    return (
      <span class="message">
        <Icon name="missing" />
        {file ? "No preview" : kind === "image" ? "The file is gone" : "No picture"}
      </span>
    );
  return null;
}

function queued(before: number): string {
  return before <= 0 ? "Next" : `${before} before it`;
}

function running(item: Item, state: GalleryState): string {
  const left = Math.ceil(state.secondsLeft(item));
  const percent = Math.round(item.row.progress * 100);
  return `${percent > 0 ? `${percent} %` : "running"}${left > 0 ? `, ${left} s` : ""}`;
}

function label(item: Item, names: readonly string[], state: GalleryState, error: string | undefined): string {
  const said = spoken(item, names);
  const { rating } = item;
  const parts = {
    complete: [item.output?.kind === "image" || !item.output ? "Image" : item.output.kind === "video" ? "Film" : "Sound"],
    running: [`Running, ${running(item, state)}`],
    queued: ["Queued"],
    failed: [`Failed: ${error || "unknown reason"}`],
  }[item.state];
  if (said) parts.push(said);
  if (rating !== undefined) parts.push(rating === 0 ? "rejected" : `rated ${rating}`);
  return parts.join(", ");
}

/** Ids are those of the kernel: letters, digits and dashes. */
export const optionId = (key: string): string => `tile-${key}`;
