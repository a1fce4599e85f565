import { useSignal } from "@preact/signals";
import { IconButton } from "../core/parts";
import { faulty, idOf, Row } from "./row";
import { parseSeed, randomSeed, seedLimit } from "./seed";
import type { FieldRow, ParamsState, SeedMode } from "./state";

const MODES: { mode: SeedMode; name: string; title: string }[] = [
  { mode: "fixed", name: "Fixed", title: "Each run uses this seed" },
  { mode: "random", name: "Random", title: "Each run draws a seed of its own" },
  { mode: "step", name: "+1", title: "Each run uses this seed and goes on to the next one" },
];

export function SeedRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const typing = useSignal<string | null>(null);
  const { mode } = state.kernel.value;
  const limit = seedLimit(field.max);
  const last = state.runs.value.last?.seed ?? null;
  const shown = mode === "random" ? "" : String(state.value(field.key) ?? "");
  const use = (seed: string, how: SeedMode): void => {
    typing.value = null;
    state.edits.value = { ...state.edits.peek(), [field.key]: seed };
    void state.flush(how);
  };
  const choose = (next: SeedMode): void => {
    if (next !== "random" && mode === "random" && last !== null) use(String(last), next); // that is how a seed is kept
    else void state.flush(next);
  };
  const type = (text: string): void => {
    typing.value = text;
    if (mode === "random") {
      state.edits.value = { ...state.edits.peek(), [field.key]: text };
      void state.flush("fixed");
    } else state.edit({ [field.key]: text });
  };
  const step = (by: bigint): void => {
    const seed = parseSeed(typing.peek() ?? shown, limit);
    if (seed !== null && seed + by >= 0n && seed + by <= limit) use(String(seed + by), mode === "random" ? "fixed" : mode);
  };
  const wrong = state.kernel.value.errors[field.key] !== undefined;
  const note = last !== null && (
    <>
      Last run used <span class="num">{last}</span>.{" "}
      {String(last) !== shown && (
        <button type="button" class="link" onClick={() => use(String(last), "fixed")}>
          Use it again
        </button>
      )}
    </>
  );
  return (
    <Row state={state} fields={[field]} note={note || undefined}>
      <div class="seed">
        <span class="affix">
          <input
            id={idOf(field)}
            class={`field${wrong ? " bad" : ""}`}
            inputMode="numeric"
            autocomplete="off"
            spellcheck={false}
            placeholder="drawn for each run"
            {...faulty(state, field)}
            value={typing.value ?? shown}
            onInput={(event) => type(event.currentTarget.value)}
            onBlur={() => {
              typing.value = null;
              void state.flush();
            }}
            onKeyDown={(event) => {
              const by = event.key === "ArrowUp" ? 1n : event.key === "ArrowDown" ? -1n : 0n;
              if (by === 0n) return;
              event.preventDefault();
              step(event.shiftKey ? by * 10n : by);
            }}
          />
        </span>
        <IconButton icon="dice" name="New random seed" onClick={() => use(String(randomSeed(limit)), mode === "step" ? "step" : "fixed")} />
        <span class="segment" role="group" aria-label="Seed for each run">
          {MODES.map((one) => (
            <button type="button" key={one.mode} aria-pressed={mode === one.mode} title={one.title} onClick={() => choose(one.mode)}>
              {one.name}
            </button>
          ))}
        </span>
      </div>
    </Row>
  );
}
