/** The SQL editor. Fetched when a pane shows one; a text area stands in its place until then. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext, type CompletionResult } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState, Prec, StateEffect, StateField } from "@codemirror/state";
import { Decoration, drawSelection, EditorView, keymap, lineNumbers, placeholder, tooltips, type DecorationSet } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export interface Editor {
  text(): string;
  setText(text: string): void;
  /** Put text where the cursor is. */
  insert(text: string): void;
  /** Underline what is wrong, until the text changes; the cursor goes there. Null takes the line away. */
  mark(place: { from: number; to: number } | null): void;
  focus(): void;
  destroy(): void;
}

export interface EditorOptions {
  parent: HTMLElement;
  root: ShadowRoot;
  /** Where completions are drawn; the editor itself may be too low for them. */
  over?: HTMLElement;
  text: string;
  label: string;
  hint: string;
  onChange(text: string): void;
  /** Shift Enter or Ctrl Enter. */
  onRun(): void;
  /** What may stand at the end of `before`, the part of the statement in front of the cursor. */
  complete?(statement: string, before: string): Completable[];
}

export interface Completable {
  label: string;
  detail: string;
  info: string;
  kind: string;
}

const mistake = StateEffect.define<{ from: number; to: number } | null>();
const mistakes = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(shown, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(mistake)) return effect.value ? Decoration.set([wavy.range(effect.value.from, effect.value.to)]) : Decoration.none;
    return transaction.docChanged ? Decoration.none : shown;
  },
  provide: (field) => EditorView.decorations.from(field),
});
const wavy = Decoration.mark({ class: "oops" });

/** Completion from what the pane knows of the tables, beside the keywords of the language. */
function source(complete: NonNullable<EditorOptions["complete"]>) {
  return (context: CompletionContext): CompletionResult | null => {
    const word = context.matchBefore(/\w*/);
    const before = context.state.sliceDoc(0, context.pos);
    if (!word || (word.from === word.to && !context.explicit && !before.endsWith("."))) return null;
    const options = complete(context.state.doc.toString(), before).map(({ label, detail, info, kind }, place) => ({
      label,
      detail,
      info: info || undefined,
      type: kind === "table" ? "class" : "property",
      boost: kind === "column" ? 50 - Math.min(50, place) : 1,
    }));
    return options.length > 0 ? { from: word.from, options, validFor: /^\w*$/ } : null;
  };
}

/** Colours are the pane's own variables, so every theme fits. */
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--spoon-code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--spoon-code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--spoon-code-number)" },
  { tag: tags.comment, color: "var(--spoon-code-comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--spoon-code-name)" },
]);

export function mountEditor({ parent, root, over, text, label, hint, onChange, onRun, complete }: EditorOptions): Editor {
  const run = (): boolean => {
    onRun();
    return true;
  };
  const view = new EditorView({
    parent,
    root,
    state: EditorState.create({
      doc: text,
      extensions: [
        Prec.highest(keymap.of([{ key: "Shift-Enter", run }, { key: "Mod-Enter", run }])),
        lineNumbers(),
        history(),
        drawSelection(),
        bracketMatching(),
        closeBrackets(),
        autocompletion({ icons: false }),
        mistakes,
        over ? tooltips({ parent: over, position: "absolute" }) : [],
        syntaxHighlighting(colours),
        sql({ dialect: PostgreSQL }),
        complete ? PostgreSQL.language.data.of({ autocomplete: source(complete) }) : [],
        keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...completionKeymap]),
        placeholder(hint),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    insert: (piece) => view.dispatch(view.state.replaceSelection(piece)),
    mark: (place) => {
      const length = view.state.doc.length;
      const to = Math.min(length, place?.to ?? 0);
      const shown = place && to > place.from ? { from: place.from, to } : null;
      view.dispatch({ effects: mistake.of(shown), ...(shown && { selection: { anchor: shown.from }, scrollIntoView: true }) });
    },
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
