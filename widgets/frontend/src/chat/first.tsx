import { useSignal } from "@preact/signals";
import { Bar, Button, CopyButton, Icon } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { share, type Conversation, type Pull } from "./state";

const KEY_CODE = `from getpass import getpass
profile = await wb.profiles.create(
    name="OpenAI", type="text", provider="openai", api_key=getpass("Key: ")
)
await wb.profiles.sync_models(profile.id)`;

/** Nothing answers yet: what can be done about it, the way that needs nothing first. */
export function FirstRun({ chat, rpc }: { chat: Conversation; rpc: Rpc }) {
  const asked = useSignal(false);
  const look = (): void => {
    asked.value = true;
    void rpc.call("look");
  };
  const { looking, look_error: trouble } = chat.models.value;
  const outcome = looking ? "Looking…" : (trouble?.message ?? (asked.value ? "Still nothing answers." : ""));
  return (
    <div class="first">
      <h3>Pick something to talk to</h3>
      <p>Nothing is connected yet. The small model below runs on this machine and needs no key.</p>
      <ul class="plain offers">
        <li>
          <Icon name="download" />
          <DemoModel pull={chat.pull.value} />
          {chat.pull.value && !chat.pull.value.error ? (
            <Button onClick={() => void rpc.call("cancel_pull")}>Cancel</Button>
          ) : (
            <Button look="primary" onClick={() => void rpc.call("pull")}>
              {chat.pull.value?.error ? "Try again" : "Download and start"}
            </Button>
          )}
        </li>
        <li>
          <Icon name="offline" />
          <div>
            <b>Ollama</b>, on this machine
            <small>
              No models there. Start it with <span class="inline">ollama serve</span> <span role="status">{outcome}</span>
            </small>
          </div>
          <Button icon="retry" disabled={looking} onClick={look}>
            Look again
          </Button>
        </li>
        <li>
          <Icon name="key" />
          <div>
            <b>OpenAI, Claude, Gemini</b> or any OpenAI-compatible address
            <small>Run this in a cell, then look again. The key is stored encrypted on this machine and never shown again.</small>
            <pre class="snippet" tabindex={0}>
              {KEY_CODE}
            </pre>
          </div>
          <CopyButton look="" label="Copy code" text={() => KEY_CODE} />
        </li>
      </ul>
    </div>
  );
}

function DemoModel({ pull }: { pull: Pull | null }) {
  const title = (
    <span>
      <b>smollm2:135m</b>, on this machine
    </span>
  );
  if (pull?.error)
    return (
      <div>
        {title}
        <small role="alert">{pull.error.message}</small>
      </div>
    );
  if (pull)
    return (
      <div>
        {title}
        <small>
          {megabytes(pull.completed)} of {pull.total ? `${megabytes(pull.total)} MB` : "unknown size"}
        </small>
        <Bar share={share(pull)} label={`Downloading ${pull.name}`} />
      </div>
    );
  return (
    <div>
      {title}
      <small>94 MB download, about 20 s. A very small model: good for trying Spoon, not for facts.</small>
    </div>
  );
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0);
