import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "../core/parts";
import type { Actions } from "./actions";
import type { Entry } from "./state";

interface Props {
  turn: Entry;
  at: Actions;
}

/** A turn is only deleted after this. */
export function Asking({ turn, at }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const asked = at.deleting.value === turn.id;
  useEffect(() => {
    if (asked) box.current?.querySelector("button")?.focus();
  }, [asked]);
  if (!asked) return null;
  const count = at.chat.branches.value.weight(turn.id);
  const what = count === 1 ? "this turn" : `${count} turns`;
  return (
    <div ref={box} class="ask-first" role="alertdialog" aria-label="Delete?">
      <span>{count === 1 ? "This cannot be undone." : `This turn and the ${count - 1} below it, on all branches. This cannot be undone.`}</span>
      <Button
        icon="trash"
        onClick={() => {
          at.deleting.value = null;
          void at.run("delete_turn", { id: turn.id });
        }}
      >
        Delete {what}
      </Button>
      <Button look="plain" onClick={() => (at.deleting.value = null)}>
        Keep
      </Button>
    </div>
  );
}

/** A question in other words: sending it makes a branch beside the old one. */
export function Editor({ turn, at }: Props) {
  const box = useRef<HTMLTextAreaElement>(null);
  const text = useSignal(turn.text.peek());
  const done = (): void => void (at.editing.value = null);
  const send = async (): Promise<void> => {
    if (await at.begin("edit", { id: turn.id, text: text.peek() })) done();
  };
  useEffect(() => {
    box.current?.focus();
    box.current?.setSelectionRange(text.peek().length, text.peek().length);
  }, []);
  return (
    <div class="editor">
      <textarea
        ref={box}
        aria-label="Edit message"
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape") {
            event.stopPropagation();
            done();
          }
          if (at.sendingKey.isIn(event)) {
            event.preventDefault();
            if (text.peek().trim()) void send();
          }
        }}
      />
      <div class="row">
        <Button look="primary" disabled={text.value.trim() === "" || at.busy.value || at.off.value} onClick={() => void send()}>
          Send as a new branch
        </Button>
        <Button look="plain" onClick={done}>
          Cancel
        </Button>
        <span class="tiny quiet-text">The old one stays.</span>
      </div>
    </div>
  );
}
