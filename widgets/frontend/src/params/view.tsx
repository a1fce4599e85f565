import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Button, Icon, IconButton, LinkBanner } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { GroupView } from "./fields";
import { Failed, FirstRun, Loading } from "./first";
import { Presets } from "./presets";
import { Side } from "./side";
import type { FieldRow, ParamsState, Setup } from "./state";

interface Props {
  state: ParamsState;
  rpc: Rpc;
  height: number;
  bare: boolean;
}

/** Pixels from which there is room for two rows of pictures. */
const ROOMY = 660;
/** Above so many fields there is a search. */
const MANY = 8;

export function ParamsView({ state, rpc, height, bare }: Props) {
  const refused = useSignal("");
  const query = useSignal<string | null>(null);
  const setup = state.setup.value;
  const blocked = whyNot(state, setup, rpc);
  const generate = async (count = 1): Promise<void> => {
    refused.value = "";
    try {
      await state.flush();
      if (Object.keys(state.kernel.peek().errors).length === 0) await rpc.call("generate", { count });
    } catch (error) {
      refused.value = (error as Error).message;
    }
  };
  useSignalEffect(() => rpc.watch(state.live.value || !!state.setup.value?.busy));
  return (
    <section
      class={`pane params${bare ? " bare" : ""}`}
      aria-label="Params"
      style={{ height: bare ? "100%" : `${height}px` }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && setup?.phase === "ready") {
          event.preventDefault();
          if (!blocked || blocked === WRONG) void generate();
        } else if (event.key === "Escape" && state.live.value) void rpc.call("stop");
      }}
      onFocusIn={() => void rpc.probe()}
    >
      <Head state={state} rpc={rpc} setup={setup} query={query} bare={bare} />
      <LinkBanner rpc={rpc} />
      <Trouble setup={setup} rpc={rpc} />
      {refused.value && (
        <div class="banner danger" role="alert">
          <Icon name="failed" />
          <span class="text">{refused.value}</span>
          <IconButton icon="close" name="Dismiss" onClick={() => (refused.value = "")} />
        </div>
      )}
      {!setup || setup.phase === "loading" ? (
        <Loading />
      ) : setup.phase === "empty" ? (
        <FirstRun setup={setup} rpc={rpc} />
      ) : setup.phase === "failed" ? (
        <Failed message={setup.error?.message ?? ""} rpc={rpc} busy={setup.busy !== ""} />
      ) : (
        <div class="split">
          <Form state={state} setup={setup} query={query.value ?? ""} />
          <Side state={state} rpc={rpc} blocked={blocked} room={height >= ROOMY ? 8 : 4} generate={(count) => void generate(count)} stop={() => void rpc.call("stop")} />
        </div>
      )}
      <Told state={state} />
    </section>
  );
}

const WRONG = "A value needs a change first.";

function whyNot(state: ParamsState, setup: Setup | null, rpc: Rpc): string {
  if (rpc.link.value === "lost") return "Not connected.";
  if (Object.keys(state.kernel.value.errors).length > 0) return WRONG;
  return setup?.busy ? "One moment." : "";
}

function Form({ state, setup, query }: { state: ParamsState; setup: Setup; query: string }) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (field: FieldRow, title: string): boolean => {
    const text = `${field.label} ${field.key} ${field.node} ${title}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  const groups = setup.groups.map((group) => ({ group, found: group.fields.filter((field) => fits(field, group.title)) })).filter(({ found }) => found.length > 0);
  return (
    <div class="scroll form" key={setup.workflow?.id}>
      {groups.map(({ group, found }) => (
        <GroupView key={group.title} state={state} group={group} found={found} />
      ))}
      {groups.length === 0 && (
        <p class="small quiet-text none">{words.length > 0 ? `None of ${state.fields.value.length} values match.` : "This workflow has no value that can be set."}</p>
      )}
    </div>
  );
}

function Head({ state, rpc, setup, query, bare }: { state: ParamsState; rpc: Rpc; setup: Setup | null; query: { value: string | null }; bare: boolean }) {
  const find = useRef<HTMLInputElement>(null);
  const changed = state.kernel.value.changed.length;
  const ready = setup?.phase === "ready";
  return (
    <header class="head">
      {!bare && <h2>Params</h2>}
      {ready && setup ? <WorkflowPicker setup={setup} rpc={rpc} /> : <span class="of">{setup?.phase === "empty" ? "no workflow" : ""}</span>}
      <span class="grow" />
      {ready && query.value !== null && (
        <span class="affix find">
          <Icon name="search" />
          <input
            ref={find}
            class="field"
            aria-label="Find a value"
            placeholder="Find a value"
            value={query.value}
            onInput={(event) => (query.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key !== "Escape") return;
              event.stopPropagation();
              query.value = null;
            }}
          />
        </span>
      )}
      {ready && state.fields.value.length > MANY && (
        <IconButton
          icon={query.value === null ? "search" : "close"}
          name={query.value === null ? "Find a value" : "Show all values"}
          onClick={() => {
            query.value = query.value === null ? "" : null;
            setTimeout(() => find.current?.focus());
          }}
        />
      )}
      {ready && <Presets state={state} rpc={rpc} disabled={rpc.link.value === "lost"} />}
      {ready && (
        <Button
          icon="reset"
          look="plain"
          disabled={changed === 0 || rpc.link.value === "lost"}
          aria-label={changed === 0 ? "Reset: nothing is changed" : `Reset ${changed} changed values`}
          onClick={() => {
            state.edits.value = {};
            void rpc.call("reset");
          }}
        >
          {changed === 0 ? "Reset" : `Reset ${changed}`}
        </Button>
      )}
    </header>
  );
}

function WorkflowPicker({ setup, rpc }: { setup: Setup; rpc: Rpc }) {
  const profiles = [...new Map(setup.workflows.map((one) => [one.profile_id, one.profile])).entries()];
  const options = (profile_id: string) =>
    setup.workflows
      .filter((one) => one.profile_id === profile_id)
      .map((one) => (
        <option key={one.id} value={one.id} selected={one.id === setup.workflow?.id}>
          {one.name}
        </option>
      ));
  return (
    <select
      class="picker"
      aria-label="Workflow"
      title={setup.workflow?.description ?? undefined}
      disabled={setup.busy !== ""}
      onChange={(event) => void rpc.call("choose", { workflow: event.currentTarget.value }).catch(() => {})}
    >
      {profiles.length > 1
        ? profiles.map(([id, name]) => (
            <optgroup key={id} label={name}>
              {options(id)}
            </optgroup>
          ))
        : options(profiles[0]?.[0] ?? "")}
    </select>
  );
}

/** ComfyUI is away, or what was asked of it failed: the form stays. */
function Trouble({ setup, rpc }: { setup: Setup | null; rpc: Rpc }) {
  if (!setup || setup.phase !== "ready" || (!setup.trouble && !setup.refused)) return null;
  const { server, busy } = setup;
  return (
    <div class="banner warn" role="status">
      <Icon name="offline" />
      <span class="text">
        {setup.refused || (
          <>
            <b>ComfyUI does not answer</b> at {server?.url ?? "its address"}. Values can be changed; a run needs it.
          </>
        )}
      </span>
      {server?.simulated && setup.trouble && (
        <Button disabled={busy !== ""} onClick={() => void rpc.call("simulate")}>
          {busy === "simulate" ? "Starting…" : "Start it again"}
        </Button>
      )}
      <Button icon="retry" disabled={busy !== ""} onClick={() => void rpc.call("look")}>
        {busy === "look" ? "Looking…" : "Look again"}
      </Button>
    </div>
  );
}

/** What screen readers hear: beginnings and ends, not every step. */
function Told({ state }: { state: ParamsState }) {
  const { open, last } = state.runs.value;
  const began = useRef(false);
  if (open.length > 0) began.current = true;
  const end = !last ? "" : last.status === "complete" ? "Picture ready" : last.error === "Cancelled" ? "Stopped" : "The run failed";
  return (
    <span class="sr" role="status">
      {open.length > 0 ? "Generating" : began.current ? end : ""}
    </span>
  );
}
