import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../core/parts";
import { faulty, idOf, Row } from "./row";
import type { FieldRow, ParamsState } from "./state";

/** Longer lists are searched by typing. */
export const SEARCHED = 12;
/** Of a long list so many are drawn; typing finds the others. */
const DRAWN = 100;
const LIST_PX = 260;

export function ChoiceRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const options = (field.options ?? []).map(String);
  const value = String(state.value(field.key) ?? "");
  const missing = options.length > 0 && !options.includes(value);
  const note = missing && (
    <span class="missing">
      <Icon name="warn" />
      {value || "Nothing"} is not on this server. Choose one that is.
    </span>
  );
  const put = (next: string): void => state.edit({ [field.key]: next }, true);
  return (
    <Row state={state} fields={[field]} note={note || undefined}>
      {options.length > SEARCHED ? (
        <Combo id={idOf(field)} label={field.label} value={value} options={options} put={put} attributes={faulty(state, field)} />
      ) : options.length === 0 ? (
        <input id={idOf(field)} class="field" {...faulty(state, field)} value={value} onInput={(event) => state.edit({ [field.key]: event.currentTarget.value })} />
      ) : (
        <select id={idOf(field)} {...faulty(state, field)} onChange={(event) => put(event.currentTarget.value)}>
          {(missing ? [value, ...options] : options).map((option) => (
            <option key={option} value={option} selected={option === value}>
              {missing && option === value ? `${option}, not on this server` : option}
            </option>
          ))}
        </select>
      )}
    </Row>
  );
}

interface ComboProps {
  id: string;
  label: string;
  value: string;
  options: string[];
  put: (value: string) => void;
  attributes: Record<string, string | undefined>;
}

/** Those that hold every word that was typed, in any order. */
export function matching(options: string[], query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return options.filter((option) => words.every((word) => option.toLowerCase().includes(word)));
}

/** A text box with the list of what fits to it. */
function Combo({ id, label, value, options, put, attributes }: ComboProps) {
  const query = useSignal<string | null>(null);
  const open = useSignal(false);
  const at = useSignal(0);
  const box = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLUListElement>(null);
  const found = query.value === null ? options : matching(options, query.value);
  const from = query.value === null ? Math.max(0, Math.min(options.indexOf(value) - 3, options.length - DRAWN)) : 0;
  const drawn = found.slice(from, from + DRAWN);
  const close = (): void => {
    open.value = false;
    query.value = null;
  };
  const show = (): void => {
    if (open.peek()) return;
    at.value = Math.max(0, drawn.indexOf(value));
    open.value = true;
  };
  const choose = (option: string | undefined): void => {
    if (option !== undefined) put(option);
    close();
  };
  useLayoutEffect(() => {
    if (!open.value || !list.current || !box.current) return;
    const { left, width, top, bottom } = box.current.getBoundingClientRect();
    const up = bottom + LIST_PX > innerHeight && top > innerHeight - bottom;
    Object.assign(list.current.style, {
      left: `${left}px`,
      width: `${width}px`,
      maxHeight: `${Math.min(LIST_PX, (up ? top : innerHeight - bottom) - 8)}px`,
      ...(up ? { top: "auto", bottom: `${innerHeight - top}px` } : { top: `${bottom}px`, bottom: "auto" }),
    });
    list.current.showPopover?.();
    const away = (event: Event): void => {
      if (event.target !== document && !event.composedPath().includes(list.current!)) close(); // it would hang in the air
    };
    addEventListener("scroll", away, { capture: true, passive: true });
    return () => removeEventListener("scroll", away, { capture: true });
  }, [open.value]);
  useLayoutEffect(() => list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView?.({ block: "nearest" }), [at.value, open.value]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (way !== 0 || (event.key === "Enter" && open.peek() && !event.ctrlKey && !event.metaKey) || (event.key === "Escape" && open.peek())) {
      event.preventDefault();
      event.stopPropagation();
    } else return;
    if (way !== 0 && !open.peek()) show();
    else if (way !== 0) at.value = Math.min(drawn.length - 1, Math.max(0, at.peek() + way));
    else if (event.key === "Enter") choose(drawn[at.peek()]);
    else close();
  };
  return (
    <span class="combo">
      <input
        ref={box}
        id={id}
        class="field"
        role="combobox"
        aria-expanded={open.value}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open.value && drawn.length > 0 ? `${id}-${at.value}` : undefined}
        autocomplete="off"
        spellcheck={false}
        {...attributes}
        value={query.value ?? value}
        onClick={(event) => {
          event.currentTarget.select();
          show();
        }}
        onInput={(event) => {
          query.value = event.currentTarget.value;
          at.value = 0;
          open.value = true;
        }}
        onBlur={close}
        onKeyDown={onKeyDown}
      />
      <ul
        ref={list}
        id={`${id}-list`}
        role="listbox"
        aria-label={label}
        class="menu options"
        popover="manual"
        hidden={!open.value}
        onPointerDown={(event) => event.preventDefault()}
      >
        {open.value &&
          drawn.map((option, index) => (
            <li
              key={option}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at.value}
              class={`item${index === at.value ? " at" : ""}`}
              onClick={() => choose(option)}
            >
              {option}
              {option === value && <Icon name="done" />}
            </li>
          ))}
        {open.value && drawn.length === 0 && (
          <li class="title" role="option" aria-disabled="true" aria-selected="false">
            None of {options.length} match
          </li>
        )}
      </ul>
    </span>
  );
}
