import { useSignal } from "@preact/signals";
import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useRef } from "preact/hooks";
import { Icon } from "../core/parts";
import type { IconName } from "../core/icons";

interface Props {
  /** What the button says; an icon alone has `name` instead. */
  label?: ComponentChildren;
  icon?: IconName;
  name: string;
  look?: string;
  /** Which edge of the button the menu hangs from. */
  end?: boolean;
  disabled?: boolean;
  children: (close: () => void) => ComponentChildren;
}

let count = 0;

/** A button with a menu in the top layer: a notebook's outputs would clip it. Arrows move inside, Esc closes. */
export function Menu({ label, icon, name, look = "", end = false, disabled, children }: Props) {
  const id = useRef("");
  id.current ||= `menu-${count++}`;
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDivElement>(null);
  const open = useSignal(false);
  const close = (): void => {
    box.current?.hidePopover?.();
    button.current?.focus();
  };
  const place = (): void => {
    const at = button.current!.getBoundingClientRect();
    const up = at.top > innerHeight / 2;
    Object.assign(box.current!.style, {
      top: up ? "auto" : `${at.bottom + 4}px`,
      bottom: up ? `${innerHeight - at.top + 4}px` : "auto",
      left: end ? "auto" : `${Math.max(4, at.left)}px`,
      right: end ? `${Math.max(4, document.documentElement.clientWidth - at.right)}px` : "auto",
      maxHeight: `${Math.max(160, (up ? at.top : innerHeight - at.bottom) - 12)}px`,
    });
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        class={`btn ${label ? "" : "icon"} ${look}`}
        aria-label={label ? undefined : name}
        title={label ? undefined : name}
        aria-haspopup="true"
        aria-expanded={open.value}
        disabled={disabled}
        {...{ popovertarget: id.current }}
      >
        {icon && <Icon name={icon} />}
        {label}
        {label && <Icon name="down" />}
      </button>
      <div
        ref={box}
        id={id.current}
        class="menu"
        popover="auto"
        role="group"
        aria-label={name}
        onBeforeToggle={place}
        onToggle={(event) => {
          open.value = (event as unknown as { newState: string }).newState === "open";
        }}
        onKeyDown={(event) => move(event)}
      >
        {open.value && children(close)}
      </div>
    </>
  );
}

/** Arrows go through what can be focused; Esc is the menu's own and stops no answer. */
function move(event: TargetedKeyboardEvent<HTMLDivElement>): void {
  if (event.key === "Escape") event.stopPropagation();
  const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
  if (step === 0) return;
  event.preventDefault();
  const parts = [...event.currentTarget.querySelectorAll<HTMLElement>("button:not(:disabled), input")];
  const now = parts.indexOf((event.currentTarget.getRootNode() as ShadowRoot).activeElement as HTMLElement);
  parts.at((now + step + parts.length) % parts.length)?.focus();
}

interface ItemProps {
  icon?: IconName;
  end?: ComponentChildren;
  disabled?: boolean;
  current?: boolean;
  onClick: () => void;
  children: ComponentChildren;
}

export function MenuItem({ icon, end, disabled, current, onClick, children }: ItemProps) {
  return (
    <button type="button" class={`item${current ? " at" : ""}`} aria-current={current || undefined} disabled={disabled} onClick={onClick}>
      {icon ? <Icon name={icon} /> : <i />}
      <span class="cut">{children}</span>
      {end && <span class="end">{end}</span>}
    </button>
  );
}
