import { ChoiceRow } from "./choice";
import { ImageRow } from "./imagerow";
import { NumberRow } from "./number";
import { faulty, idOf, Row } from "./row";
import { SeedRow } from "./seedrow";
import { SizeRows } from "./sizerow";
import type { FieldRow, Group, ParamsState } from "./state";

export function GroupView({ state, group, found }: { state: ParamsState; group: Group; found: FieldRow[] }) {
  const width = found.find((field) => field.key === "width" && field.kind === "number");
  const height = found.find((field) => field.key === "height" && field.kind === "number");
  const rest = width && height ? found.filter((field) => field !== width && field !== height) : found;
  return (
    <section class="group" aria-label={group.title}>
      <h3>
        {group.title} <small>{group.note}</small>
      </h3>
      {width && height && <SizeRows state={state} width={width} height={height} />}
      {rest.map((field) => (
        <FieldView key={field.key} state={state} field={field} />
      ))}
    </section>
  );
}

function FieldView({ state, field }: { state: ParamsState; field: FieldRow }) {
  if (field.kind === "seed") return <SeedRow state={state} field={field} />;
  if (field.kind === "number") return <NumberRow state={state} field={field} />;
  if (field.kind === "choice") return <ChoiceRow state={state} field={field} />;
  if (field.kind === "image") return <ImageRow state={state} field={field} />;
  if (field.kind === "boolean") return <BooleanRow state={state} field={field} />;
  return <TextRow state={state} field={field} />;
}

function TextRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const common = {
    id: idOf(field),
    ...faulty(state, field),
    value: String(state.value(field.key) ?? ""),
    onBlur: () => void state.flush(),
  };
  return (
    <Row state={state} fields={[field]} top={field.multiline}>
      {field.multiline ? (
        <textarea
          {...common}
          rows={field.key === "prompt" ? 2 : 1}
          placeholder={field.key === "prompt" ? "What the picture shows" : undefined}
          onInput={(event) => state.edit({ [field.key]: event.currentTarget.value })}
        />
      ) : (
        <input {...common} class="field" autocomplete="off" onInput={(event) => state.edit({ [field.key]: event.currentTarget.value })} />
      )}
    </Row>
  );
}

function BooleanRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const on = state.value(field.key) === true;
  const [off = "off", yes = "on"] = field.labels ?? [];
  return (
    <Row state={state} fields={[field]}>
      <span class="tick">
        <input id={idOf(field)} class="check" type="checkbox" checked={on} onChange={(event) => state.edit({ [field.key]: event.currentTarget.checked }, true)} />
        <span class="small quiet-text">{on ? yes : off}</span>
      </span>
    </Row>
  );
}
