import { useSignal } from "@preact/signals";
import type { Actions } from "./actions";

const FIELDS: { name: string; label: string; unset: string }[] = [
  { name: "temperature", label: "Temperature", unset: "the model's own" },
  { name: "max_tokens", label: "Longest answer, tokens", unset: "the model's own" },
  { name: "top_p", label: "Top p", unset: "the model's own" },
  { name: "seed", label: "Seed", unset: "not fixed" },
];

/** What every request is sent with. Each field is kept when it is left; a refusal stands at it. */
export function Drawer({ at }: { at: Actions }) {
  const { options, system } = at.chat.about.value;
  const { defaults } = at.chat.models.value;
  return (
    <div class="drawer" role="group" aria-label="Options">
      {FIELDS.map(({ name, label, unset }) => (
        <Field
          key={`${at.chat.about.value.id}${name}`}
          label={label}
          value={options[name] ?? ""}
          hint={defaults[name] ? `${defaults[name]}, from the profile` : unset}
          keep={(text) => at.rpc.call("option", { name, text })}
        />
      ))}
      <Field label="Stop at, one a line" value={options.stop ?? ""} hint="nowhere" lines keep={(text) => at.rpc.call("option", { name: "stop", text })} />
      <Field label="System prompt" value={system} hint="none" lines wide keep={(text) => at.rpc.call("system", { text })} />
    </div>
  );
}

interface FieldProps {
  label: string;
  value: string;
  hint: string;
  lines?: boolean;
  wide?: boolean;
  keep: (text: string) => Promise<unknown>;
}

function Field({ label, value, hint, lines, wide, keep }: FieldProps) {
  /** What stands in the field while it is not (yet) what is kept. */
  const typed = useSignal<string | null>(null);
  const problem = useSignal("");
  const save = async (): Promise<void> => {
    if (typed.value === null || typed.value === value) {
      typed.value = null;
      problem.value = "";
      return;
    }
    try {
      await keep(typed.value);
      problem.value = "";
      typed.value = null;
    } catch (error) {
      problem.value = (error as Error).message;
    }
  };
  const common = {
    class: `field${problem.value ? " bad" : ""}`,
    value: typed.value ?? value,
    placeholder: hint,
    "aria-invalid": problem.value ? true : undefined,
    onInput: (event: Event) => (typed.value = (event.currentTarget as HTMLInputElement).value),
    onBlur: () => void save(),
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !lines) void save();
  };
  return (
    <label class={wide ? "wide" : ""}>
      {label}
      {lines ? <textarea rows={1} {...common} /> : <input {...common} onKeyDown={onKeyDown} />}
      {problem.value && <small role="alert">{problem.value}</small>}
    </label>
  );
}
