/** The SQL editor. Fetched when a pane shows one; a text area stands in its place until then. */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { PostgreSQL, schemaCompletionSource, sql, type SQLNamespace } from "@codemirror/lang-sql";
import { bracketMatching, HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { Compartment, EditorState, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";

export interface Editor {
  text(): string;
  setText(text: string): void;
  /** Put text where the cursor is. */
  insert(text: string): void;
  setSchema(schema: SQLNamespace): void;
  focus(): void;
  destroy(): void;
}

export interface EditorOptions {
  parent: HTMLElement;
  root: ShadowRoot;
  text: string;
  label: string;
  hint: string;
  onChange(text: string): void;
  /** Shift Enter or Ctrl Enter. */
  onRun(): void;
}

/** Colours are the pane's own variables, so every theme fits. */
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--spoon-code-keyword)" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--spoon-code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--spoon-code-number)" },
  { tag: tags.comment, color: "var(--spoon-code-comment)", fontStyle: "italic" },
  { tag: [tags.typeName, tags.standard(tags.name)], color: "var(--spoon-code-name)" },
]);

export function mountEditor({ parent, root, text, label, hint, onChange, onRun }: EditorOptions): Editor {
  const language = new Compartment();
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
        autocompletion(),
        syntaxHighlighting(colours),
        language.of(sql({ dialect: PostgreSQL, upperCaseKeywords: true })),
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
    setSchema: (schema) =>
      view.dispatch({
        effects: language.reconfigure([
          sql({ dialect: PostgreSQL, upperCaseKeywords: true }),
          PostgreSQL.language.data.of({ autocomplete: schemaCompletionSource({ dialect: PostgreSQL, schema }) }),
        ]),
      }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}
