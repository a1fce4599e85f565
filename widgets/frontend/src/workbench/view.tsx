import type { Host } from "@anywidget/types";
import { useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useId } from "preact/hooks";
import { Button, Icon, LinkBanner, State } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { Images, Waiting } from "./images";
import { Keys } from "./keys";
import { Picker } from "./picker";
import { Slot } from "./slot";
import { step, TAB_NAMES, TABS, type Bench, type Tab } from "./state";

interface Props {
  bench: Bench;
  rpc: Rpc;
  host: Host | undefined;
  tab: Signal<Tab>;
  /** Model ids of the panes that are there. */
  refs: Signal<Record<string, string>>;
  height: number;
}

export function WorkbenchView({ bench, rpc, host, tab, refs, height }: Props) {
  const id = useId();
  const keys = useSignal(false);
  const trouble = useSignal("");
  /** The tabs that have been shown in this view: the others have nothing on the page. */
  const visited = useSignal<Tab[]>([]);
  const ask = (op: string, args: Record<string, unknown> = {}): void => {
    trouble.value = "";
    rpc.call(op, args).catch((error: Error) => (trouble.value = error.message));
  };
  useSignalEffect(() => {
    const shown = tab.value;
    if (!visited.peek().includes(shown)) visited.value = [...visited.peek(), shown];
  });
  useSignalEffect(() => {
    const known = tab.value === "images" ? bench.looked.value && bench.profile.value !== null : rpc.met.value;
    if (known) ask("open", { tab: tab.value });
  });
  useSignalEffect(() => rpc.watch(!!bench.offers.value.pull || bench.entries.value.some(({ state }) => state === "testing")));
  const panel = (name: Tab) => {
    const failure = bench.trouble.value[name];
    if (failure) return <Failed words={failure} again={() => ask("open", { tab: name })} />;
    if (name === "images")
      return <Images bench={bench} refs={refs.value} host={host} rpc={rpc} add={() => (tab.value = "profiles")} chat={() => (tab.value = "chat")} />;
    return refs.value[name] ? <Slot key={refs.value[name]} id={refs.value[name]} host={host} /> : <Waiting words={`Opening ${TAB_NAMES[name].toLowerCase()}`} />;
  };
  return (
    <section
      class="pane workbench"
      aria-label="Workbench"
      style={{ height: `${height}px` }}
      onKeyDown={(event) => {
        if (event.key === "/" && (event.ctrlKey || event.metaKey)) keys.value = !keys.value;
      }}
    >
      <header class="bench-bar">
        <h2 class="mark">
          <Icon name="spoon" />
          Spoon
        </h2>
        <Tabs tab={tab} id={id} running={bench.counts.value.running} />
        <span class="grow" />
        <Picker bench={bench} choose={(entry) => ask("choose", { id: entry })} add={() => (tab.value = "profiles")} testAll={() => ask("test_all")} />
      </header>
      <LinkBanner rpc={rpc} />
      <Notice bench={bench} rpc={rpc} trouble={trouble} ask={ask} tab={tab} />
      <div class="stage">
        {TABS.filter((name) => visited.value.includes(name)).map((name) => (
          <div key={name} class="panel" role="tabpanel" id={`${id}-${name}`} aria-labelledby={`${id}-tab-${name}`} data-shown={name === tab.value ? "" : undefined} inert={name !== tab.value}>
            {panel(name)}
          </div>
        ))}
      </div>
      <Ledger bench={bench} keys={() => (keys.value = true)} />
      {keys.value && <Keys close={() => (keys.value = false)} />}
    </section>
  );
}

function Tabs({ tab, id, running }: { tab: Signal<Tab>; id: string; running: number }) {
  const move = (event: KeyboardEvent): void => {
    const next = step(event.key, TABS.indexOf(tab.value), TABS.length, "ArrowLeft", "ArrowRight");
    if (next === undefined) return;
    event.preventDefault();
    tab.value = TABS[next]!;
    (event.currentTarget as HTMLElement).querySelectorAll("button")[next]?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label="Panes" onKeyDown={move}>
      {TABS.map((name) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`${id}-tab-${name}`}
          aria-selected={name === tab.value}
          aria-controls={name === tab.value ? `${id}-${name}` : undefined}
          tabindex={name === tab.value ? 0 : -1}
          onClick={() => (tab.value = name)}
        >
          {TAB_NAMES[name]}
          {name === "tasks" && running > 0 && (
            <span class="count">
              {running}
              <span class="sr"> running</span>
            </span>
          )}
        </button>
      ))}
    </div>
  );
}

interface NoticeProps {
  bench: Bench;
  rpc: Rpc;
  trouble: Signal<string>;
  ask: (op: string, args?: Record<string, unknown>) => void;
  tab: Signal<Tab>;
}

/** What went wrong above the panes: a request that was refused, or a ComfyUI that does not answer. */
function Notice({ bench, trouble, ask, tab }: NoticeProps) {
  const refused = trouble.value || bench.trouble.value.look;
  if (refused)
    return (
      <div class="banner danger" role="alert">
        <Icon name="failed" />
        <span class="text">{refused}</span>
        <Button look="plain" onClick={() => (trouble.value = "")}>
          Dismiss
        </Button>
      </div>
    );
  const chosen = bench.chosen.value;
  if (tab.value !== "images" || chosen?.state !== "failed") return null;
  const simulated = chosen.id === bench.offers.value.simulated;
  return (
    <div class="banner warn" role="status">
      <Icon name="warn" />
      <span class="text">
        <b>{chosen.name} does not answer.</b> {simulated ? "It ended with the notebook that had started it." : chosen.words}
      </span>
      <Button icon="retry" look="plain" onClick={() => ask(simulated ? "simulate" : "test_all")}>
        {simulated ? "Start it again" : "Test again"}
      </Button>
    </div>
  );
}

function Failed({ words, again }: { words: string; again: () => void }) {
  return (
    <div class="first" role="alert">
      <h3>This could not be opened</h3>
      <p>{words}</p>
      <Button icon="retry" onClick={again}>
        Try again
      </Button>
    </div>
  );
}

function Ledger({ bench, keys }: { bench: Bench; keys: () => void }) {
  const { images, chats, most_chats, running, failed } = bench.counts.value;
  const all = bench.entries.value.length;
  return (
    <footer class="ledger">
      {all > 0 && (
        <span class="wide">
          <State kind="online">
            <span>
              <b>{bench.answering.value}</b> of {all} profile{all === 1 ? "" : "s"} answer{bench.answering.value === 1 ? "s" : ""}
            </span>
          </State>
        </span>
      )}
      {running > 0 && (
        <span class="slim">
          <State kind="running">{running} running</State>
        </span>
      )}
      {failed > 0 && (
        <span class="slim">
          <State kind="failed">{failed} failed</State>
        </span>
      )}
      {images !== null && (
        <span>
          <b>{images.toLocaleString("en")}</b> image{images === 1 ? "" : "s"}
        </span>
      )}
      {chats !== null && (
        <span>
          <b>{chats >= most_chats ? `${most_chats} or more` : chats}</b> chat{chats === 1 ? "" : "s"}
        </span>
      )}
      <span class="end">
        <button type="button" class="btn plain" onClick={keys}>
          <span class="kbd">Ctrl /</span> keys
        </button>
      </span>
    </footer>
  );
}
