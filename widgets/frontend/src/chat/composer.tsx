import type { TargetedKeyboardEvent } from "preact";
import { useRef } from "preact/hooks";
import { Bar, Button, Icon, IconButton } from "../core/parts";
import type { Actions } from "./actions";
import { PICTURES, type Item } from "./attachments";
import { Menu } from "./menu";
import { sameChoice, type Choice } from "./state";

const MOST_COMPARED = 4;

/** The message box. Typing goes on while the kernel does not answer; sending does not. */
export function Composer({ at }: { at: Actions }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const { draft, attachments, chat } = at;
  const keep = chat.compared.value.length > 0;
  const something = draft.value.trim() !== "" || attachments.items.value.length > 0;
  const ready = !at.off.value && !keep && chat.choice.value !== null && something && attachments.ready.value;
  const send = (): void => {
    if (ready && !at.busy.value) void at.send();
  };
  const onKey = (event: TargetedKeyboardEvent<HTMLTextAreaElement>): void => {
    if (at.sendingKey.isIn(event)) {
      event.preventDefault();
      send();
    }
    const last = chat.shown.peek().findLast((turn) => turn.role === "user");
    if (event.key === "ArrowUp" && draft.peek() === "" && last && !at.busy.peek()) {
      event.preventDefault();
      at.editing.value = last.id;
    }
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Pictures at={at} />
      <textarea
        ref={box}
        rows={1}
        aria-label="Message"
        placeholder="Write a message"
        value={draft.value}
        onFocus={() => at.sendingKey.look()}
        onInput={(event) => (draft.value = event.currentTarget.value)}
        onKeyDown={onKey}
        onPaste={(event) => {
          const files = [...(event.clipboardData?.files ?? [])];
          if (files.length === 0) return;
          event.preventDefault();
          attachments.add(files);
        }}
      />
      <div class="tools">
        <IconButton icon="attach" name="Attach pictures (or paste, or drop them)" disabled={at.off.value} onClick={() => file.current?.click()} />
        <input
          ref={file}
          type="file"
          accept={PICTURES.join(",")}
          multiple
          hidden
          aria-label="Pictures"
          onChange={(event) => {
            attachments.add([...(event.currentTarget.files ?? [])]);
            event.currentTarget.value = "";
          }}
        />
        {chat.models.value.compared.length > 0 ? <ComparePicker at={at} /> : <Picker at={at} />}
        <Settings at={at} />
        <span class="grow" />
        <Hint at={at} keep={keep} />
        {at.busy.value ? (
          <Button
            key="stop"
            icon="stop"
            look="go"
            onClick={() => {
              at.stop();
              box.current?.focus();
            }}
          >
            Stop
          </Button>
        ) : (
          <Button key="send" type="submit" icon="send" look="primary go" disabled={!ready}>
            Send
          </Button>
        )}
      </div>
    </form>
  );
}

function Hint({ at, keep }: { at: Actions; keep: boolean }) {
  const busy = at.busy.value;
  if (keep && !busy) return <span class="tiny quiet-text hint">Keep an answer to go on</span>;
  return (
    <span class="tiny quiet-text hide-narrow hint">
      {busy ? (
        <>
          <span class="kbd">Esc</span> stops
        </>
      ) : (
        <>
          <span class="kbd">{at.sendingKey.sends}</span> sends, <span class="kbd">{at.sendingKey.breaks}</span> new line
        </>
      )}
    </span>
  );
}

/** What the next request is sent with, in a word; the drawer changes it. */
function Settings({ at }: { at: Actions }) {
  const { options } = at.chat.about.value;
  const temperature = options.temperature ?? at.chat.models.value.defaults.temperature;
  return temperature ? <span class="tiny quiet-text hide-narrow nowrap">temperature {temperature}</span> : null;
}

function Picker({ at }: { at: Actions }) {
  const { choice: current, choices: listed } = at.chat.models.value;
  const all = current && !listed.some((choice) => sameChoice(current, choice)) ? [current, ...listed] : listed;
  if (all.length === 0) return <span class="tiny quiet-text">No model yet</span>;
  return (
    <select
      class="picker"
      aria-label="Model"
      disabled={at.busy.value || at.off.value || all.length < 2}
      onChange={(event) => {
        const choice = all[Number(event.currentTarget.value)];
        if (choice) at.choose(choice);
      }}
    >
      {all.map((choice, index) => (
        <option value={index} selected={sameChoice(current, choice)}>
          {title(choice)}
        </option>
      ))}
    </select>
  );
}

const title = (choice: Choice): string => `${choice.model ?? choice.provider}${choice.where ? `, ${choice.where}` : ""}`;

/** Whom the next question goes to at once. */
function ComparePicker({ at }: { at: Actions }) {
  const { compared, choices } = at.chat.models.value;
  const toggle = (choice: Choice): void => {
    const without = compared.filter((one) => !sameChoice(one, choice));
    at.compare(without.length < compared.length ? without : [...compared, choice]);
  };
  return (
    <Menu label={compared.length === 1 ? "1 model" : `${compared.length} models`} name="Models to compare" look="plain" disabled={at.busy.value}>
      {() => (
        <>
          <div class="title">Ask up to {MOST_COMPARED} at once</div>
          {choices.map((choice) => {
            const on = compared.some((one) => sameChoice(one, choice));
            return (
              <label class="item">
                <input
                  type="checkbox"
                  checked={on}
                  disabled={on ? compared.length === 1 : compared.length >= MOST_COMPARED}
                  onChange={() => toggle(choice)}
                />
                <span class="cut">{title(choice)}</span>
              </label>
            );
          })}
        </>
      )}
    </Menu>
  );
}

function Pictures({ at }: { at: Actions }) {
  const { items, refused } = at.attachments;
  if (items.value.length === 0 && !refused.value) return null;
  return (
    <div class="pictures">
      {items.value.map((item) => (
        <Waiting key={item.url} item={item} remove={() => at.attachments.remove(item)} />
      ))}
      {refused.value && (
        <span class="state failed" role="alert">
          <Icon name="failed" />
          {refused.value}
        </span>
      )}
    </div>
  );
}

function Waiting({ item, remove }: { item: Item; remove: () => void }) {
  return (
    <span class="thumb-frame">
      <span class="thumb">
        <img src={item.url} alt={`To be sent: ${item.name}`} />
      </span>
      <IconButton icon="close" name={`Remove ${item.name}`} onClick={remove} />
      {item.error.value ? (
        <span class="state failed small" role="alert">
          <Icon name="failed" />
          {item.error.value}
        </span>
      ) : (
        item.content.value === null && <Bar share={item.progress.value} label={`Uploading ${item.name}`} />
      )}
    </span>
  );
}

