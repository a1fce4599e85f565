import { useSignal } from "@preact/signals";
import type { TargetedKeyboardEvent } from "preact";
import { asNumber, moved, softRange, stepOf, written, type Range } from "./ranges";
import { faulty, idOf, Row } from "./row";
import type { FieldRow, ParamsState } from "./state";

/** +1 or -1 for an arrow key, ten times that with Shift, 0 for other keys. */
function arrows(event: KeyboardEvent): number {
  const way = event.key === "ArrowUp" || event.key === "ArrowRight" ? 1 : event.key === "ArrowDown" || event.key === "ArrowLeft" ? -1 : 0;
  return event.shiftKey ? way * 10 : way;
}

export function NumberRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const range = softRange(field);
  const box = <NumberBox state={state} field={field} step={range?.step} />;
  return (
    <Row state={state} fields={[field]} wide={!range}>
      {range ? (
        <>
          <Slider state={state} field={field} range={range} />
          {box}
        </>
      ) : (
        box
      )}
    </Row>
  );
}

function Slider({ state, field, range }: { state: ParamsState; field: FieldRow; range: Range }) {
  const share = (value: unknown): number => {
    const at = asNumber(value) ?? range.min;
    return Math.min(1, Math.max(0, (at - range.min) / (range.max - range.min)));
  };
  const value = asNumber(state.value(field.key)) ?? range.min;
  return (
    <span class="slider" style={`--vn:${share(value)};--dn:${share(field.default)}`}>
      <input
        type="range"
        aria-label={field.label}
        aria-valuetext={written(value, field)}
        min={range.min}
        max={range.max}
        step={range.step}
        value={value}
        onInput={(event) => state.edit({ [field.key]: Number(event.currentTarget.value) })}
        onKeyDown={(event) => {
          if (!event.shiftKey || arrows(event) === 0) return; // one step is the browser's own
          event.preventDefault();
          state.edit({ [field.key]: moved(value, arrows(event), range.step, range.min, range.max) });
        }}
      />
    </span>
  );
}

interface BoxProps {
  state: ParamsState;
  field: FieldRow;
  step?: number;
  label?: string;
  /** What to do with a number once it is finished, instead of sending it as it is. */
  finish?: (value: number) => void;
  onFocus?: () => void;
}

/** Takes any number that ComfyUI takes; shows what was typed until it is left. */
export function NumberBox({ state, field, step = stepOf(field), label, finish, onFocus }: BoxProps) {
  const typing = useSignal<string | null>(null);
  const value = state.value(field.key);
  const done = (): void => {
    const number = asNumber(typing.peek());
    typing.value = null;
    if (finish && number !== null) finish(number);
    else void state.flush();
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    const by = event.key.startsWith("ArrowU") || event.key.startsWith("ArrowD") ? arrows(event) : 0;
    const number = asNumber(typing.peek() ?? value);
    if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) done();
    if (by === 0 || event.altKey || number === null) return;
    event.preventDefault();
    typing.value = null;
    const next = moved(number, by, step, asNumber(field.min) ?? -Infinity, asNumber(field.max) ?? Infinity);
    if (finish) finish(next);
    else state.edit({ [field.key]: next });
  };
  const wrong = state.kernel.value.errors[field.key] !== undefined;
  const own = wrong ? String(value) : written(value, field); // what does not fit stays as it was typed
  // somebody else may have set another value since
  const isTyped = typing.value !== null && (field.key in state.edits.value || wrong || asNumber(typing.value) === asNumber(value));
  const shown = isTyped ? typing.value! : own;
  return (
    <input
      id={idOf(field)}
      class={`field n${wrong ? " bad" : ""}`}
      inputMode="decimal"
      autocomplete="off"
      aria-label={label}
      {...faulty(state, field)}
      value={shown}
      onFocus={onFocus}
      onInput={(event) => {
        typing.value = event.currentTarget.value;
        state.edit({ [field.key]: event.currentTarget.value });
      }}
      onBlur={() => typing.peek() !== null && done()}
      onKeyDown={onKeyDown}
    />
  );
}
