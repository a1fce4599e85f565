import type { Signal } from "@preact/signals";
import type { TargetedEvent, TargetedKeyboardEvent } from "preact";
import { useRef } from "preact/hooks";
import { Button } from "../core/parts";
import { sameChoice, type Choice, type Conversation } from "./state";

interface Props {
  chat: Conversation;
  draft: Signal<string>;
  /** An answer is being written, or a message is on its way to the kernel. */
  busy: boolean;
  /** The kernel does not answer: typing goes on, sending does not. */
  off: boolean;
  send: () => void;
  stop: () => void;
  choose: (choice: Choice) => void;
}

export function Composer({ chat, draft, busy, off, send, stop, choose }: Props) {
  const box = useRef<HTMLTextAreaElement>(null);
  const ready = !off && chat.choice.value !== null && draft.value.trim() !== "";
  const onKey = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      if (ready && !busy) send();
    }
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready && !busy) send();
      }}
    >
      <textarea
        ref={box}
        rows={1}
        aria-label="Message"
        placeholder="Write a message"
        value={draft.value}
        onInput={(event: TargetedEvent<HTMLTextAreaElement>) => (draft.value = event.currentTarget.value)}
        onKeyDown={onKey}
      />
      <div class="tools">
        <Picker chat={chat} choose={choose} disabled={busy || off} />
        <span class="grow" />
        <span class="tiny quiet-text hide-narrow hint">
          {busy ? (
            <>
              <span class="kbd">Esc</span> stops
            </>
          ) : (
            <>
              <span class="kbd">Enter</span> sends, <span class="kbd">Shift Enter</span> new line
            </>
          )}
        </span>
        {busy ? (
          <Button
            key="go"
            icon="stop"
            look="go"
            onClick={() => {
              stop();
              box.current?.focus();
            }}
          >
            Stop
          </Button>
        ) : (
          <Button key="go" type="submit" icon="send" look="primary go" disabled={!ready}>
            Send
          </Button>
        )}
      </div>
    </form>
  );
}

function Picker({ chat, choose, disabled }: { chat: Conversation; choose: (choice: Choice) => void; disabled: boolean }) {
  const current = chat.choice.value;
  const listed = chat.choices.value;
  const all = current && !listed.some((choice) => sameChoice(current, choice)) ? [current, ...listed] : listed;
  if (all.length === 0) return <span class="tiny quiet-text">No model yet</span>;
  return (
    <select
      class="picker"
      aria-label="Model"
      disabled={disabled || all.length < 2}
      onChange={(event) => {
        const choice = all[Number(event.currentTarget.value)];
        if (choice) choose(choice);
      }}
    >
      {all.map((choice, index) => (
        <option value={index} selected={sameChoice(current, choice)}>
          {choice.model ?? choice.provider}
          {choice.where ? `, ${choice.where}` : ""}
        </option>
      ))}
    </select>
  );
}
