import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { copyText } from "../core/clipboard";
import { ICONS, type IconName } from "../core/icons";
import { GrowingMarkdown } from "../core/markdown";
import { Button, CopyButton, Icon, State } from "../core/parts";
import type { Counts, Trouble, Turn } from "./state";

interface Props {
  turn: Turn;
  last: boolean;
  retry: () => void;
}

export function TurnView({ turn, last, retry }: Props) {
  const { role, state, model, where, error, warnings, finish_reason: why, counts } = turn.facts.value;
  if (role === "user")
    return (
      <article class="turn you" aria-label="You">
        <div class="who">
          <b>You</b>
        </div>
        <div class="said asked">{turn.text.value}</div>
      </article>
    );
  const [name, tag] = splitName(model);
  const under = state === "waiting" || state === "writing" ? state : [tag, where].filter(Boolean).join(", ");
  return (
    <article class="turn" aria-label={model} aria-busy={state === "waiting" || state === "writing"}>
      <div class="who">
        <b title={model}>{breakable(name)}</b>
        <small>{under}</small>
      </div>
      <div class="said">
        <Body turn={turn} writing={state === "writing"} />
        {state === "waiting" && <span class="caret" />}
        {state === "stopped" && (
          <p class="small">
            <State kind="stopped">{counts.tokens ? `Stopped by you after ${counts.tokens} tokens` : "Stopped by you"}</State>
          </p>
        )}
        {why === "length" && state === "done" && <p class="small quiet-text">The answer ends here: it reached the longest allowed length.</p>}
        {warnings.map((warning) => (
          <p class="small quiet-text">{warning}</p>
        ))}
        {state === "failed" && error && <TroubleView error={error} retry={last ? retry : undefined} />}
        {(state === "done" || state === "stopped") && turn.text.value && (
          <div class="acts">
            <CopyButton text={() => turn.text.peek()} />
          </div>
        )}
      </div>
      <div class="side">
        <CountsView counts={counts} />
      </div>
    </article>
  );
}

/** `smollm2:135m` as its name and its tag. */
function splitName(model: string): [string, string] {
  const at = model.lastIndexOf(":");
  return at > 0 ? [model.slice(0, at), model.slice(at + 1)] : [model, ""];
}

/** A long name with places where the narrow margin may break it. */
function breakable(name: string) {
  return name.split(/(?<=[-_/.])/).map((part) => (
    <>
      {part}
      <wbr />
    </>
  ));
}

/** The text, drawn outside of preact: finished blocks stay as they are while the tail grows. */
function Body({ turn, writing }: { turn: Turn; writing: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const markdown = useRef<GrowingMarkdown>(undefined);
  useSignalEffect(() => {
    const text = turn.text.value;
    if (!box.current) return;
    markdown.current ??= new GrowingMarkdown(box.current, dressCode);
    markdown.current.show(text);
  });
  return <div ref={box} class={`md${writing ? " writing" : ""}`} />;
}

/** Give every code block its head with the language, Wrap and Copy. */
function dressCode(block: HTMLElement): void {
  for (const pre of block.querySelectorAll("pre")) {
    const figure = document.createElement("figure");
    figure.className = "code";
    pre.replaceWith(figure);
    pre.tabIndex = 0;
    const top = figure.appendChild(document.createElement("div"));
    top.className = "bar-top";
    const language = top.appendChild(document.createElement("span"));
    language.className = "grow";
    language.textContent = pre.querySelector("code")?.className.replace("language-", "") || "text";
    top.append(
      codeButton("wrap", "Wrap", () => pre.classList.toggle("wrapped")),
      codeButton("copy", "Copy", () => void copyText(pre.textContent ?? "")),
    );
    figure.append(pre);
  }
}

function codeButton(icon: IconName, label: string, act: () => void): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn plain";
  button.innerHTML = `<svg class="i" viewBox="0 0 16 16" aria-hidden="true">${ICONS[icon]}</svg>${label}`;
  button.addEventListener("click", act);
  return button;
}

function TroubleView({ error, retry }: { error: Trouble; retry: (() => void) | undefined }) {
  const wait = error.retry_after_s;
  return (
    <div class="trouble" role="alert">
      <Icon name="failed" />
      <b>{error.message}</b>
      <small>{wait ? `The other side asks to wait ${Math.ceil(wait)} s. ` : ""}Your message is kept.</small>
      {retry && (
        <div class="row">
          <Button icon="retry" look="primary" onClick={retry}>
            Retry
          </Button>
        </div>
      )}
    </div>
  );
}

function CountsView({ counts }: { counts: Counts }) {
  const rows: [string, string | null][] = [
    ["first token", counts.first_token_s === null ? null : `${counts.first_token_s.toFixed(2)} s`],
    ["tokens", counts.tokens === null ? null : counts.tokens.toLocaleString("en")],
    ["speed", counts.speed === null ? null : `${Math.round(counts.speed)} / s`],
  ];
  return (
    <ul class="plain counts">
      {rows
        .filter(([, value]) => value !== null)
        .map(([name, value]) => (
          <li key={name}>
            <span>{name}</span>
            <span>{value}</span>
          </li>
        ))}
    </ul>
  );
}
