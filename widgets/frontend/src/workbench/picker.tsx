import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { Icon, State } from "../core/parts";
import { GLYPHS } from "../profiles/row";
import { healthWords, modelsWords, type Entry } from "../profiles/state";
import { step, type Bench } from "./state";

interface Props {
  bench: Bench;
  choose: (id: string) => void;
  add: () => void;
  testAll: () => void;
}

/** Whom the images are made with, and the menu of everybody: a popover, since outputs of a notebook clip. */
export function Picker({ bench, choose, add, testAll }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const open = useSignal(false);
  const id = useId();
  const chosen = bench.chosen.value;
  const items = (): HTMLElement[] => [...menu.current!.querySelectorAll<HTMLElement>("[role^=menuitem]")];
  const show = (): void => {
    const from = button.current!.getBoundingClientRect();
    menu.current!.style.top = `${from.bottom + 2}px`;
    menu.current!.style.right = `${Math.max(8, document.documentElement.clientWidth - from.right)}px`;
    menu.current!.showPopover();
    (items().find((item) => item.ariaChecked === "true") ?? items()[0])?.focus();
  };
  const act = (what: () => void) => (): void => {
    menu.current!.hidePopover();
    button.current!.focus();
    what();
  };
  const move = (event: KeyboardEvent): void => {
    const all = items();
    const at = all.indexOf((event.target as HTMLElement).closest<HTMLElement>("[role^=menuitem]")!);
    const next = step(event.key, at, all.length, "ArrowUp", "ArrowDown");
    if (next !== undefined) {
      event.preventDefault();
      all[next]?.focus();
    } else if (event.key === "Tab") menu.current!.hidePopover();
  };
  const images = bench.entries.value.filter(({ provider }) => provider === "comfyui");
  const others = bench.entries.value.filter(({ provider }) => provider !== "comfyui");
  return (
    <>
      <button
        type="button"
        class="btn plain picker"
        ref={button}
        aria-haspopup="menu"
        aria-expanded={open.value}
        aria-controls={id}
        aria-label={`Profiles, ${chosen?.name ?? "none yet"}`}
        onClick={show}
      >
        <State kind={chosen ? GLYPHS[chosen.state] : "queued"} />
        <span class="cut">{chosen?.name ?? "No profile yet"}</span>
        <Icon name="down" />
      </button>
      <div class="menu" id={id} role="menu" aria-label="Profiles" popover="auto" ref={menu} onKeyDown={move} onToggle={(event: any) => (open.value = event.newState === "open")}>
        <Group title="Images" entries={images} chosen={chosen?.id} pick={(entry) => act(() => choose(entry))()} />
        <Group title="Chat" entries={others} pick={(entry) => act(() => choose(entry))()} />
        {bench.entries.value.length > 0 && <hr />}
        <button class="item" role="menuitem" tabindex={-1} onClick={act(add)}>
          <Icon name="plus" />
          Add a profile
        </button>
        {bench.entries.value.length > 0 && (
          <button class="item" role="menuitem" tabindex={-1} onClick={act(testAll)}>
            <Icon name="retry" />
            Test all
          </button>
        )}
      </div>
    </>
  );
}

function Group({ title, entries, chosen, pick }: { title: string; entries: Entry[]; chosen?: string; pick: (id: string) => void }) {
  if (entries.length === 0) return null;
  return (
    <div role="group" aria-label={title}>
      <div class="title" aria-hidden="true">
        {title}
      </div>
      {entries.map((entry) => (
        <button
          key={entry.id}
          class={`profile ${entry.id === chosen ? "at" : ""}`}
          role={title === "Images" ? "menuitemradio" : "menuitem"}
          aria-checked={title === "Images" ? entry.id === chosen : undefined}
          tabindex={-1}
          onClick={() => pick(entry.id)}
        >
          <State kind={GLYPHS[entry.state]} />
          <span>
            <b>{entry.name}</b>
            <small>{entry.state === "ok" ? [entry.kind === "machine" ? "on this machine" : entry.address, modelsWords(entry)].filter(Boolean).join(", ") : healthWords(entry)}</small>
          </span>
          <span class="tiny quiet-text">{entry.state === "ok" && entry.latency_ms !== null ? `${entry.latency_ms.toLocaleString("en")} ms` : entry.at}</span>
        </button>
      ))}
    </div>
  );
}
