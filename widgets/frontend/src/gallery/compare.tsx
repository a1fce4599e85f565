import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Button, Icon, IconButton } from "../core/parts";
import type { GenerationDiff } from "../core/types";
import { caption } from "./captions";
import { Dialog } from "./dialog";
import type { Item } from "./items";
import { useDetails, useOriginal, ZoomButtons, type Tools } from "./lightbox";
import { compared } from "./sheet";
import { follow, ViewPoint, ZoomBox } from "./zoom";

const MODES = ["Slider", "Side", "Onion", "Diff"] as const;
const GRIP_PX = 24;
const LARGEST_PX = 2048;
/** What the table of values says already. */
const TOLD = new Set(["parameter", "seed"]);

interface Props {
  tools: Tools;
  one: Item;
  other: Item;
  close(): void;
}

/** Two pictures in one place: what differs in how they were made, and in how they came out. */
export function Compare({ tools, one, other, close }: Props) {
  const mode = useSignal<(typeof MODES)[number]>("Slider");
  const cut = useSignal(50);
  const linked = useSignal(true);
  const view = useMemo(() => new ViewPoint(), []);
  const twin = useMemo(() => new ViewPoint(), []);
  view.twin = linked.value ? twin : null;
  twin.twin = linked.value ? view : null;
  const a = useOriginal(tools.originals, one);
  const b = useOriginal(tools.originals, other);
  const names = tools.state.differs.value.filter((name) => caption(one, [name], 1) !== caption(other, [name], 1));
  const [nameA, nameB] = [one, other].map((item, index) => `${"AB"[index]}${names.length > 0 ? `, ${caption(item, names, 2)}` : ""}`);
  const wait = a.wait || b.wait;
  const box = useRef<HTMLDivElement>(null);
  const cutAt = (event: PointerEvent): void => {
    const { left, width } = box.current!.getBoundingClientRect();
    cut.value = Math.min(100, Math.max(0, ((event.clientX - left) / width) * 100));
  };
  const takesCut = (event: PointerEvent, { left, width }: DOMRect): boolean => {
    const near = Math.abs(event.clientX - left - (cut.peek() / 100) * width) < GRIP_PX;
    if (mode.peek() !== "Slider" || (view.zoom.peek() > 1 && !near)) return false;
    cutAt(event);
    follow(event, (_x, _y, moved) => cutAt(moved));
    return true;
  };
  const keep = (lost: Item): void => {
    void tools.deeds.rate([lost], 0);
    close();
  };
  const picture = (file: { url: string } | null, alt: string) => file && <img src={file.url} alt={alt} draggable={false} />;
  return (
    <Dialog
      label="Compare two images"
      look="box"
      close={close}
      onKeyDown={(event) => {
        if (!event.ctrlKey && !event.metaKey && view.key(event.key)) event.preventDefault();
      }}
    >
      <div class={`view ${mode.value.toLowerCase()}`} ref={box} style={`--cut:${cut.value}%;--onion:${cut.value / 100}`}>
        <ZoomBox view={view} takes={takesCut}>
          <div class="layer">{mode.value === "Diff" ? <Canvas one={a.file} other={b.file} /> : picture(a.file, nameA!)}</div>
          {mode.value !== "Diff" && mode.value !== "Side" && <div class="layer b">{picture(b.file, nameB!)}</div>}
          {wait && <span class="wait">{wait}</span>}
          {mode.value === "Slider" && <span class="handle" />}
        </ZoomBox>
        {mode.value === "Side" && (
          <ZoomBox view={twin}>
            <div class="layer">{picture(b.file, nameB!)}</div>
          </ZoomBox>
        )}
        <ZoomButtons view={view} />
        {mode.value !== "Diff" && (
          <>
            <span class="tag l">{nameA}</span>
            <span class="tag r">{nameB}</span>
          </>
        )}
      </div>
      <div class="meta">
        <header>
          <b>Compare</b>
          <span class="grow" />
          <IconButton icon="close" name="Close" onClick={close} />
        </header>
        <div class="scroll" tabindex={0} role="region" aria-label="What differs">
          <span class="segment" role="group" aria-label="View">
            {MODES.map((name) => (
              <button type="button" aria-pressed={mode.value === name} onClick={() => (mode.value = name)}>
                {name}
              </button>
            ))}
          </span>
          {(mode.value === "Slider" || mode.value === "Onion") && (
            <label class="cut-range">
              <span>{mode.value === "Slider" ? "Where A ends" : "How much of B"}</span>
              <input type="range" min={0} max={100} value={cut.value} onInput={(event) => (cut.value = Number(event.currentTarget.value))} />
            </label>
          )}
          <Differences tools={tools} one={one} other={other} />
        </div>
        <footer>
          <Button icon="done" title="Rejects B" onClick={() => keep(other)}>
            Keep A
          </Button>
          <Button icon="done" title="Rejects A" onClick={() => keep(one)}>
            Keep B
          </Button>
          <button
            type="button"
            class={`btn icon${linked.value ? " on" : ""}`}
            aria-pressed={linked.value}
            aria-label="Zoom both together"
            title="Zoom both together"
            onClick={() => (linked.value = !linked.value)}
          >
            <Icon name="link" />
          </button>
        </footer>
      </div>
    </Dialog>
  );
}

function Differences({ tools, one, other }: { tools: Tools; one: Item; other: Item }) {
  const a = useDetails(tools.rpc, one).details;
  const b = useDetails(tools.rpc, other).details;
  const diff = useSignal<GenerationDiff | null>(null);
  const trouble = useSignal("");
  useEffect(() => {
    if (one.row.id === other.row.id) return;
    tools.rpc.call<GenerationDiff>("diff", { id: one.row.id, other_id: other.row.id }).then(
      (found) => (diff.value = found),
      (error: Error) => (trouble.value = error.message),
    );
  }, [one.key, other.key]);
  if (!a || !b) return <p class="quiet-text">Reading both…</p>;
  const { rows, equal, seed } = compared(a, b);
  const more = (diff.value?.changes ?? []).filter(({ what }) => !TOLD.has(what));
  return (
    <>
      {rows.length > 0 && (
        <table class="sheet two">
          <thead>
            <tr>
              <td />
              <th scope="col">A</th>
              <th scope="col">B</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, before, after]) => (
              <tr class="differs">
                <th scope="row">{name}</th>
                <td>{before}</td>
                <td>{after}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="quiet-text">
        {rows.length > 0 ? `The other ${equal} values are equal` : `All ${equal} values are equal`}
        {seed ? `, seed ${seed} among them.` : "."}
      </p>
      {more.length > 0 && (
        <>
          <h3>Further differences</h3>
          <ul class="plain">
            {more.map(({ text }) => (
              <li>{text}</li>
            ))}
          </ul>
        </>
      )}
      {diff.value && (
        <>
          <h3>Pixels</h3>
          <p>{diff.value.summary}</p>
        </>
      )}
      {trouble.value && <p class="quiet-text">{trouble.value}</p>}
    </>
  );
}

/** Where both differ, bright: the absolute difference of each channel. */
function Canvas({ one, other }: { one: { url: string } | null; other: { url: string } | null }) {
  const paper = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (!one || !other) return;
    let gone = false;
    void Promise.all([load(one.url), load(other.url)]).then(([a, b]) => {
      const canvas = paper.current;
      if (gone || !canvas) return;
      const scale = Math.min(1, LARGEST_PX / Math.max(a.naturalWidth, a.naturalHeight));
      canvas.width = Math.max(1, Math.round(a.naturalWidth * scale));
      canvas.height = Math.max(1, Math.round(a.naturalHeight * scale));
      const pen = canvas.getContext("2d")!;
      pen.drawImage(a, 0, 0, canvas.width, canvas.height);
      pen.globalCompositeOperation = "difference";
      pen.drawImage(b, 0, 0, canvas.width, canvas.height);
    });
    return () => {
      gone = true;
    };
  }, [one, other]);
  return <canvas ref={paper} role="img" aria-label="Where A and B differ: equal parts are black" />;
}

async function load(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}
