import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Editor as Written } from "../assets/codemirror";
import { loadAsset } from "../core/assets";
import { suggestions } from "./complete";
import { offsetOf } from "./sql";
import type { QueryState } from "./state";

const HINT = "select * from runs";

/** What the rest of the pane may do to the editor. */
export interface Desk {
  insert(text: string): void;
  focus(): void;
}

/** The SQL editor; a plain text area until the real one has come. Alt and the arrows go through the history. */
export function Editor({ state, desk, run }: { state: QueryState; desk: Desk; run(): void }) {
  const box = useRef<HTMLDivElement>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const written = useRef<Written | null>(null);
  const isThere = useSignal(false);
  const past = useRef({ place: -1, draft: "" });

  useEffect(() => {
    let gone = false;
    void loadAsset(state.rpc, "codemirror")
      .then(({ mountEditor }) => {
        if (gone || !box.current) return;
        const root = box.current.getRootNode() as ShadowRoot;
        const hadFocus = root.activeElement !== null && root.activeElement === area.current;
        written.current = mountEditor({
          parent: box.current,
          root,
          over: box.current.closest<HTMLElement>(".pane")!,
          text: state.sql.peek(),
          label: "SQL",
          hint: HINT,
          onChange: (text) => (state.sql.value = text),
          onRun: run,
          complete: (statement, before) => suggestions(state.tables.peek() ?? [], statement, before),
        });
        isThere.value = true;
        if (hadFocus) written.current.focus();
        showMistake();
      })
      .catch(() => {}); // without it the text area does
    return () => {
      gone = true;
      written.current?.destroy();
    };
  }, []);

  desk.focus = () => (written.current ?? area.current)?.focus();
  desk.insert = (text) => {
    if (written.current) written.current.insert(text);
    else if (area.current) {
      const { selectionStart: from, selectionEnd: to } = area.current;
      area.current.setRangeText(text, from, to, "end");
      state.sql.value = area.current.value;
    }
    desk.focus();
  };
  useSignalEffect(() => {
    const text = state.sql.value;
    if (written.current && written.current.text() !== text) written.current.setText(text);
  });
  const showMistake = (): void => {
    const { error } = state.run.value;
    if (!written.current || !error || error.at !== "editor" || error.line === undefined) {
      written.current?.mark(null);
      return;
    }
    if (written.current.text() !== error.sql) return; // it was changed meanwhile
    const from = offsetOf(error.sql, error.line, error.column ?? 1);
    written.current.mark({ from, to: from + Math.max(1, error.length ?? 1) });
  };
  useSignalEffect(showMistake);

  const goBack = (step: number): void => {
    const all = state.history.peek();
    const at = past.current;
    if (at.place < 0 || all[at.place] !== state.sql.peek()) {
      at.draft = state.sql.peek();
      at.place = all.length;
      if (step < 0 && all.at(-1) === at.draft) at.place = all.length - 1; // it is the newest itself
    }
    const next = Math.max(0, Math.min(all.length, at.place + step));
    at.place = next;
    state.sql.value = all[next] ?? at.draft;
  };
  return (
    <div
      ref={box}
      class={`editor${isThere.value ? "" : " plainly"}`}
      onKeyDownCapture={(event) => {
        if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) run();
        else if (event.altKey && event.key === "ArrowUp") goBack(-1);
        else if (event.altKey && event.key === "ArrowDown") goBack(1);
        else if (event.key === "Escape" && state.running.peek()) state.stop();
        else return;
        event.preventDefault();
        event.stopPropagation();
      }}
    >
      {!isThere.value && (
        <textarea ref={area} aria-label="SQL" placeholder={HINT} spellcheck={false} value={state.sql.value} onInput={(event) => (state.sql.value = event.currentTarget.value)} />
      )}
    </div>
  );
}
