import type { TokenizerAndRendererExtension, Tokens } from "marked";

/**
 * Formulas in markdown: `$x$`, `\(x\)` in a line, `$$x$$`, `\[x\]` on their own. They come out as the TeX in an element of
 * class `tex`, which the pane draws once it has the means. As in pandoc a `$` stands at no space, and none before a
 * digit ends a formula: "$5 and $10" is money.
 */
const INLINE = /^(?:\\\(([^\n]+?)\\\)|\$\$([^$\n]+)\$\$|\$(?![\s$])((?:\\.|[^$\\\n])*?(?:\\.|[^\s$\\]))\$(?!\d))/;
const CLOSED = /^ {0,3}(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n+|$)/;
/** A formula in the writing: to the next blank line, which TeX has none of. It is shown as it stands. */
const OPEN = /^ {0,3}(?:\$\$|\\\[)(?:(?!\n[ \t]*\n)(?!\$\$|\\\])[\s\S])*$/;

const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

export const math: TokenizerAndRendererExtension[] = [
  {
    name: "formula",
    level: "block",
    start: (text) => text.match(/(?:^|\n) {0,3}(?:\$\$|\\\[)/)?.index,
    tokenizer(text) {
      const found = CLOSED.exec(text);
      if (found) return { type: "formula", raw: found[0], text: (found[1] ?? found[2] ?? "").trim(), closed: true };
      const open = OPEN.exec(text);
      return open ? { type: "formula", raw: open[0], text: open[0], closed: false } : undefined;
    },
    renderer: ({ text, closed }: Tokens.Generic) => `<p>${closed ? `<span class="tex display">${escape(text)}</span>` : escape(text)}</p>`,
  },
  {
    name: "formulaInLine",
    level: "inline",
    start: (text) => text.match(/\$|\\\(/)?.index,
    tokenizer(text) {
      const found = INLINE.exec(text);
      const tex = found?.[1] ?? found?.[2] ?? found?.[3];
      return found && tex?.trim() ? { type: "formulaInLine", raw: found[0], text: tex.trim(), display: !!found[2] } : undefined;
    },
    renderer: ({ text, display }: Tokens.Generic) => `<span class="tex${display ? " display" : ""}">${escape(text)}</span>`,
  },
];
