import type { ComponentChildren } from "preact";
import { Icon, IconButton } from "../core/parts";
import type { FieldRow, ParamsState } from "./state";

interface Props {
  state: ParamsState;
  /** The fields that the row stands for; the first one's key names its control. */
  fields: FieldRow[];
  label?: string;
  /** The control spans the number box's column, too. */
  wide?: boolean;
  top?: boolean;
  /** The label names a group of controls, not one of them. */
  grouped?: boolean;
  /** Another row of the same fields shows their errors, or offers to reset them. */
  silent?: boolean;
  fixed?: boolean;
  note?: ComponentChildren;
  children: ComponentChildren;
}

export const idOf = (field: FieldRow): string => `field-${field.key}`;
const errorId = (field: FieldRow): string => `error-${field.key}`;

/** What a control says of its error. */
export function faulty(state: ParamsState, field: FieldRow): Record<string, string | undefined> {
  const wrong = state.kernel.value.errors[field.key] !== undefined;
  return { "aria-invalid": wrong ? "true" : undefined, "aria-describedby": wrong ? errorId(field) : undefined };
}

/** One line of the form: dot when changed, label, control, reset; under it what is wrong with the value. */
export function Row({ state, fields, label, wide = true, top = false, grouped = false, silent = false, fixed = false, note, children }: Props) {
  const first = fields[0]!;
  const name = label ?? first.label;
  const { changed, errors } = state.kernel.value;
  const isChanged = fields.some((field) => changed.includes(field.key));
  const reset = (): void => {
    for (const field of fields) {
      const { [field.key]: _, ...rest } = state.edits.peek();
      state.edits.value = rest;
      void state.rpc?.call("reset", { key: field.key });
    }
  };
  const text = (
    <>
      {name}
      {isChanged && <span class="sr">, changed</span>}
    </>
  );
  return (
    <div
      class={`param${isChanged ? " changed" : ""}${top ? " top" : ""}`}
      onKeyDown={(event) => {
        if (event.altKey && event.code === "KeyR" && isChanged) {
          event.preventDefault();
          reset();
        }
      }}
    >
      <i class="dot" aria-hidden="true" />
      {grouped ? (
        <span class="label" title={first.tooltip ?? name}>
          {text}
        </span>
      ) : (
        <label for={idOf(first)} title={first.tooltip ?? name}>
          {text}
        </label>
      )}
      {wide ? <div class="two">{children}</div> : children}
      <div class="ends">{isChanged && !fixed && <IconButton icon="reset" name={`Reset ${name}`} onClick={reset} />}</div>
      {fields.map(
        (field) =>
          !silent &&
          errors[field.key] && (
            <div class="note bad" role="alert" id={errorId(field)} key={field.key}>
              <Icon name="failed" />
              <span>{errors[field.key]}</span>
            </div>
          ),
      )}
      {note && <div class="note">{note}</div>}
    </div>
  );
}
