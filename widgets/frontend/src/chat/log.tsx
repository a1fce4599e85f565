import { useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Button } from "../core/parts";
import type { Actions } from "./actions";
import { Comparison } from "./compare";
import { Answer, Question } from "./turn";

/** The turns. Follows the text while the reader is at its end, and else says that it goes on below. */
export function Log({ at, children }: { at: Actions; children: ComponentChildren }) {
  const { chat } = at;
  const box = useRef<HTMLDivElement>(null);
  const inside = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const top = useRef(0);
  const known = useRef(0);
  const below = useSignal(false);
  const toEnd = (): void => {
    following.current = true;
    below.value = false;
    box.current?.scrollTo({ top: box.current.scrollHeight });
  };
  useLayoutEffect(() => {
    const watcher = new ResizeObserver(() => {
      if (chat.shown.peek().length === 0) return;
      if (following.current) toEnd();
      else below.value = chat.live.peek();
    });
    if (inside.current) watcher.observe(inside.current);
    return () => watcher.disconnect();
  }, []);
  useSignalEffect(() => {
    const count = chat.branches.value.all.length;
    if (count > known.current) toEnd(); // something new was asked: the reader wants to see it; another branch is not new
    known.current = count;
  });
  const onScroll = (): void => {
    const { scrollTop, scrollHeight, clientHeight } = box.current!;
    if (scrollTop < top.current) following.current = false; // only the reader scrolls up; text may have grown since
    if (scrollHeight - scrollTop - clientHeight < 24) {
      following.current = true;
      below.value = false;
    }
    top.current = scrollTop;
  };
  const compared = chat.compared.value;
  const last = chat.shown.value.at(-1);
  const ready = chat.choice.value !== null && chat.about.value.loaded;
  return (
    <div class="log-frame">
      <div ref={box} class="scroll log" role="log" aria-live="off" aria-label="Conversation" data-ready={ready} tabindex={0} onScroll={onScroll}>
        <div ref={inside}>
          {children}
          {chat.shown.value.map((turn) => (turn.role === "user" ? <Question key={turn.id} turn={turn} at={at} /> : <Answer key={turn.id} turn={turn} at={at} />))}
          {compared.length > 0 && <Comparison answers={compared} at={at} />}
          {last?.role === "user" && compared.length === 0 && !at.busy.value && (
            <p class="unanswered">
              <span class="quiet-text">No answer yet.</span>
              <Button icon="retry" onClick={() => void at.begin("again", { id: last.id })}>
                Ask for an answer
              </Button>
            </p>
          )}
        </div>
      </div>
      {below.value && (
        <Button icon="down" look="below" onClick={toEnd}>
          New text below
        </Button>
      )}
    </div>
  );
}
