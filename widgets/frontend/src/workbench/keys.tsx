import { useEffect, useRef } from "preact/hooks";
import { Button } from "../core/parts";

const KEYS = [
  ["← →, Home, End", "the next tab, when a tab has the focus"],
  ["↑ ↓", "in the menu of profiles"],
  ["Tab", "from part to part"],
  ["Esc", "closes what is open"],
  ["Ctrl /", "the keys of the pane that has the focus"],
];

/** The list of keys, over the page. */
export function Keys({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog class="keys" ref={dialog} aria-label="Keys" onClose={close}>
      <h3>Keys of the workbench</h3>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <span class="kbd">{keys}</span>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Button onClick={() => dialog.current?.close()}>Close</Button>
    </dialog>
  );
}
