import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Button, Icon } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { fieldOf, makesWords, type Entry, type Provider } from "./state";

interface Outcome {
  connected: boolean;
  latency: number | null;
  models: string[] | null;
  error: string | null;
}

interface Props {
  providers: Provider[];
  /** Left out: a new profile. */
  entry?: Entry;
  rpc: Rpc;
  close: (saved?: string) => void;
}

const NUMBERS: [field: string, label: string, unit: string, step: string][] = [
  ["concurrency", "At once", "requests", "1"],
  ["rate_per_minute", "At most", "a minute", "1"],
  ["input_usd_per_million", "Price in", "US$ per million tokens", "any"],
  ["output_usd_per_million", "Price out", "US$ per million tokens", "any"],
];
const MOVED = "The address changes, so type the key again: a stored key never goes to a new host.";

/**
 * Adds a profile, or changes one. The key is read from its box when it is sent, stands in no state of the page, and its
 * box is gone as soon as it is stored.
 */
export function ProfileForm({ providers, entry, rpc, close }: Props) {
  const form = useRef<HTMLFormElement>(null);
  const provider = useSignal(entry?.provider ?? "openai");
  const busy = useSignal<"" | "saving" | "testing">("");
  const tested = useSignal<Outcome | null>(null);
  const wrong = useSignal<{ field: string; words: string } | null>(null);
  const heading = useId();
  const chosen = providers.find(({ name }) => name === provider.value) ?? providers[0];
  useEffect(() => form.current?.querySelector<HTMLElement>(entry ? "[name=name]" : "[name=provider]")?.focus(), []);

  const read = (): Record<string, string> => Object.fromEntries([...new FormData(form.current!)].map(([name, value]) => [name, String(value)]));
  const refused = (given: { url?: string; key?: string }): boolean => {
    const moved = entry?.key && !given.key && ((given.url ?? "").trim() || null) !== entry.url;
    wrong.value = moved ? { field: "key", words: MOVED } : null;
    if (moved) form.current?.querySelector<HTMLElement>("[name=key]")?.focus();
    return !!moved;
  };
  const fail = (error: Error): void => {
    wrong.value = fieldOf(error.message);
    if (wrong.value.field) form.current?.querySelector<HTMLElement>(`[name=${wrong.value.field}]`)?.focus();
  };
  const test = (): void => {
    const given = read();
    if (refused(given)) return;
    busy.value = "testing";
    tested.value = null;
    rpc
      .call<Outcome>("try", { provider: provider.value, url: given.url, key: given.key, id: entry?.id })
      .then((outcome) => (tested.value = outcome), fail)
      .finally(() => (busy.value = ""));
  };
  const save = (event: Event): void => {
    event.preventDefault();
    const { name, url, key, prompt, provider: _, ...options } = read();
    if (busy.value || refused({ url, key })) return;
    busy.value = "saving";
    rpc
      .call<{ id: string }>("save", { provider: provider.value, name: name || chosen?.label, url, key, prompt, options, id: entry?.id })
      .then(({ id }) => close(id), fail)
      .finally(() => (busy.value = ""));
  };
  if (!chosen) return null;
  const chats = chosen.makes.includes("text");
  const at = (field: string): string => (wrong.value?.field === field ? wrong.value.words : "");
  return (
    <form class="profile-form scroll" ref={form} aria-labelledby={heading} autocomplete="off" noValidate onSubmit={save} onKeyDown={(event) => event.key === "Escape" && close()}>
      <h3 id={heading}>{entry ? `Edit ${entry.name}` : "Add a profile"}</h3>
      <Field label="Provider" note={`Makes ${makesWords(chosen.makes)}.`}>
        {(id) => (
          <select
            id={id}
            name="provider"
            disabled={!!entry}
            value={provider.value}
            onChange={(event) => {
              provider.value = event.currentTarget.value;
              tested.value = null;
            }}
          >
            {providers.map(({ name, label }) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Name" wrong={at("name")}>
        {(id) => <input id={id} class="field" name="name" maxLength={255} defaultValue={entry?.name ?? ""} placeholder={chosen.label} />}
      </Field>
      <Field label={chosen.name === "local" ? "Model file" : "Address"} note={addressNote(chosen)} wrong={at("url")}>
        {(id) => <input id={id} class="field" name="url" type="text" inputMode="url" spellcheck={false} defaultValue={entry?.url ?? ""} placeholder={chosen.url ?? "/path/to/model.gguf"} />}
      </Field>
      {chosen.name !== "local" && (
        <Field label="Key" note={keyNote(chosen, entry)} wrong={at("key")}>
          {(id) => (
            <input id={id} class="field" name="key" type="password" autocomplete="new-password" spellcheck={false} placeholder={entry?.key ? `${entry.key} is stored` : ""} />
          )}
        </Field>
      )}
      {chats && <ModelField entry={entry} models={tested.value?.models ?? entry?.models ?? []} wrong={at("model")} />}
      {chats && (
        <Field label="System prompt">{(id) => <textarea id={id} name="prompt" rows={1} defaultValue={entry?.prompt ?? ""} placeholder="None" />}</Field>
      )}
      {NUMBERS.filter(([name]) => chats || name === "concurrency").map(([name, label, unit, step]) => (
        <Field key={name} label={label} note={unit} wrong={at(name)} inline>
          {(id) => <input id={id} class="field n" name={name} type="number" min={step === "1" ? 1 : 0} step={step} defaultValue={entry?.options[name] ?? ""} placeholder={step === "1" ? "no limit" : "unknown"} />}
        </Field>
      ))}
      <div class="foot">
        {wrong.value && !wrong.value.field && (
          <p class="trouble-line" role="alert">
            <Icon name="failed" />
            {wrong.value.words}
          </p>
        )}
        <p class="tested" role="status">
          {busy.value === "testing" ? "Testing…" : tested.value && testedWords(tested.value, chosen)}
        </p>
        <Button look="primary tall" type="submit" disabled={busy.value === "saving"}>
          {entry ? "Save" : "Add the profile"}
        </Button>
        <Button look="tall" disabled={busy.value === "testing"} onClick={test}>
          Test
        </Button>
        <Button look="plain tall" onClick={() => close()}>
          Cancel
        </Button>
      </div>
    </form>
  );
}

interface FieldProps {
  label: string;
  note?: string;
  wrong?: string;
  inline?: boolean;
  children: (id: string) => ComponentChildren;
}

function Field({ label, note, wrong, inline, children }: FieldProps) {
  const id = useId();
  return (
    <div class={`row ${inline ? "short" : ""} ${wrong ? "wrong" : ""}`}>
      <label for={id}>{label}</label>
      <div>{children(id)}</div>
      {note && <small>{note}</small>}
      {wrong && (
        <p class="trouble-line" role="alert">
          <Icon name="failed" />
          {wrong}
        </p>
      )}
    </div>
  );
}

function ModelField({ entry, models, wrong }: { entry?: Entry; models: string[]; wrong: string }) {
  const list = useId();
  return (
    <Field label="Default model" note={models.length ? `${models.length} to choose from.` : "Test lists what there is."} wrong={wrong}>
      {(id) => (
        <>
          <input id={id} class="field" name="model" list={list} spellcheck={false} defaultValue={entry?.options.model ?? ""} placeholder="The first one" />
          <datalist id={list}>
            {models.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  );
}

function addressNote(provider: Provider): string {
  if (provider.name === "openai") return "Or that of any OpenAI-compatible server, with /v1 at its end.";
  if (provider.name === "local") return "Empty: the models that are fetched by name.";
  return "Empty: the usual one.";
}

function keyNote(provider: Provider, entry?: Entry): string {
  const optional = provider.needs_key ? "" : " Most servers at home need none.";
  return entry?.key ? "Leave it empty to keep the stored one." : `Stored encrypted, and never shown again.${optional}`;
}

function testedWords(outcome: Outcome, provider: Provider): string {
  if (!outcome.connected) return outcome.error ?? "It does not answer.";
  const count = outcome.models?.length ?? 0;
  const what = provider.name === "comfyui" ? "checkpoint" : "model";
  return `It answers: ${count} ${what}${count === 1 ? "" : "s"}, ${outcome.latency} ms.`;
}
