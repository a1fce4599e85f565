import { useRef } from "preact/hooks";
import { useSignal } from "@preact/signals";
import { copyText } from "../core/clipboard";
import { Icon, IconButton } from "../core/parts";
import type { Actions } from "./actions";
import { Conversations } from "./conversations";
import { download, fileName, toJSON, toMarkdown, toNotebook, toPython } from "./export";
import { Menu, MenuItem } from "./menu";

export function Head({ at, keys }: { at: Actions; keys: () => void }) {
  const { chat } = at;
  const about = chat.about.value;
  const { compared, choice, choices } = chat.models.value;
  const count = chat.shown.value.length;
  const other = choices.find((one) => one.model !== choice?.model || one.profile_id !== choice?.profile_id);
  const toggle = (): void => at.compare(compared.length > 0 ? [] : [choice, other].filter((one) => one !== undefined && one !== null));
  const turns = count === 1 ? "1 turn" : `${count} turns`;
  return (
    <header class="head">
      <h2>Chat</h2>
      <Menu label={<span class="cut title-of">{about.title || "New conversation"}</span>} name="Conversations" look="plain soft">
        {(close) => <Conversations at={at} close={close} />}
      </Menu>
      <span class="of hide-narrow">{compared.length > 0 ? `compare, ${compared.length} models` : count > 0 ? turns : ""}</span>
      <span class="grow" />
      {(about.id || count > 0) && <IconButton icon="plus" name="New conversation" disabled={at.busy.value} onClick={() => void at.run("new")} />}
      <IconButton
        icon="compare"
        name="Compare models"
        class={`btn icon${compared.length > 0 ? " on" : ""}`}
        aria-pressed={compared.length > 0}
        disabled={at.busy.value || !choice || (choices.length < 2 && compared.length === 0)}
        onClick={toggle}
      />
      <CopyPython at={at} disabled={count === 0} />
      <IconButton icon="options" name="Options" aria-pressed={at.drawer.value} aria-expanded={at.drawer.value} onClick={() => (at.drawer.value = !at.drawer.value)} />
      <More at={at} empty={count === 0} keys={keys} />
    </header>
  );
}

function CopyPython({ at, disabled }: { at: Actions; disabled: boolean }) {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    copied.value = await copyText(toPython(at.chat));
    setTimeout(() => (copied.value = false), 1500);
  };
  return <IconButton icon={copied.value ? "done" : "python"} name={copied.value ? "Copied" : "Copy as Python"} disabled={disabled} onClick={() => void copy()} />;
}

function More({ at, empty, keys }: { at: Actions; empty: boolean; keys: () => void }) {
  const save = (ending: string, type: string, make: (chat: Actions["chat"]) => string) => (): void =>
    download(fileName(at.chat.about.peek().title, ending), type, make(at.chat));
  return (
    <Menu icon="more" name="More" end>
      {(close) => {
        const item = (act: () => unknown) => () => {
          close();
          act();
        };
        return (
          <>
            <MenuItem icon="copy" disabled={empty} onClick={item(() => copyText(toMarkdown(at.chat)))}>
              Copy all as markdown
            </MenuItem>
            <hr />
            <MenuItem icon="download" disabled={empty} end=".md" onClick={item(save("md", "text/markdown", toMarkdown))}>
              Save this branch
            </MenuItem>
            <MenuItem icon="download" disabled={empty} end=".ipynb" onClick={item(save("ipynb", "application/x-ipynb+json", toNotebook))}>
              Save as a notebook
            </MenuItem>
            <MenuItem icon="download" disabled={empty} end=".json" onClick={item(save("json", "application/json", toJSON))}>
              Save all branches
            </MenuItem>
            <hr />
            <MenuItem onClick={item(() => at.sendingKey.swap())}>Send with {at.sendingKey.breaks}</MenuItem>
            <MenuItem end="Ctrl /" onClick={item(keys)}>
              Keys
            </MenuItem>
          </>
        );
      }}
    </Menu>
  );
}

const KEYS: [string, string][] = [
  ["↑ in an empty box", "edits your last message"],
  ["Esc", "stops what is being written"],
  ["Alt ← and Alt →", "go to another version of a turn"],
  ["Ctrl /", "shows these keys"],
];

/** The keys of the pane, over everything; Esc closes it and the focus goes back. */
export function KeysDialog({ at, opened }: { at: Actions; opened: (open: () => void) => void }) {
  const box = useRef<HTMLDialogElement>(null);
  opened(() => box.current?.showModal());
  return (
    <dialog ref={box} class="keys" aria-label="Keys" onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()}>
      <header class="head">
        <h2>Keys</h2>
        <span class="grow" />
        <IconButton icon="close" name="Close" onClick={() => box.current?.close()} />
      </header>
      <dl>
        {[[at.sendingKey.sends, "sends"], [at.sendingKey.breaks, "begins a new line"], ...KEYS].map(([key, what]) => (
          <>
            <dt>
              <span class="kbd">{key}</span>
            </dt>
            <dd>{what}</dd>
          </>
        ))}
      </dl>
    </dialog>
  );
}

/** What an empty conversation says, and what stands above the log when the kernel has something to say. */
export function Notices({ at }: { at: Actions }) {
  const { notice } = at.chat.about.value;
  return (
    <>
      {notice && (
        <div class="banner warn" role="status">
          <Icon name="warn" />
          <span class="text">{notice}</span>
        </div>
      )}
      {at.refused.value && (
        <div class="banner danger" role="alert">
          <Icon name="failed" />
          <span class="text">{at.refused.value}</span>
          <IconButton icon="close" name="Dismiss" onClick={() => (at.refused.value = "")} />
        </div>
      )}
    </>
  );
}

