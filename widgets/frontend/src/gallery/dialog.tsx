import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

interface Props {
  label: string;
  look: string;
  close(): void;
  onKeyDown?(event: KeyboardEvent): void;
  children: ComponentChildren;
}

/** A dialog over the whole page; Escape closes it and the focus goes back to where it was. */
export function Dialog({ label, look, close, onKeyDown, children }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const gone = useRef(false);
  useLayoutEffect(() => {
    const dialog = element.current!;
    const before = (dialog.getRootNode() as ShadowRoot).activeElement as HTMLElement | null;
    dialog.showModal();
    if (!dialog.querySelector("[autofocus]")) dialog.focus(); // its keys work at once, and no button looks chosen
    return () => {
      gone.current = true;
      dialog.close(); // while it is open, nothing outside can take the focus
      before?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={element}
      tabindex={-1}
      class={`over-all ${look}`}
      aria-label={label}
      onClose={() => !gone.current && close()}
      onKeyDown={onKeyDown}
      onClick={(event) => event.target === element.current && close()}
    >
      {children}
    </dialog>
  );
}
