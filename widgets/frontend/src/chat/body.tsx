import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { GrowingMarkdown } from "../core/markdown";
import type { Actions } from "./actions";
import { dress } from "./code";
import type { Entry } from "./state";

/** An answer's text, drawn outside of preact: finished blocks stay as they are while the tail grows. */
export function Body({ turn, at }: { turn: Entry; at: Actions }) {
  const box = useRef<HTMLDivElement>(null);
  const markdown = useRef<GrowingMarkdown>(undefined);
  useSignalEffect(() => {
    const text = turn.text.value;
    const asset = at.markdown.value;
    const done = turn.facts.value.state !== "writing";
    const into = box.current;
    if (!into) return;
    if (!asset) {
      into.textContent = text;
      return;
    }
    if (!markdown.current) {
      into.replaceChildren();
      markdown.current = new asset.GrowingMarkdown(into, (block, whole) => dress(block, whole, at));
    }
    markdown.current.show(text, done);
  });
  const writing = turn.facts.value.state === "writing";
  return <div ref={box} class={`md${at.markdown.value ? "" : " asked"}${writing ? " writing" : ""}`} />;
}
