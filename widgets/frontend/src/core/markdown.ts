import DOMPurify, { type Config } from "dompurify";
import { Marked, type Tokens } from "marked";

/**
 * Markdown of a model, which nobody vouches for: the page holds the user's Jupyter token. Raw HTML is shown as text,
 * images become links (loading one would tell its server who reads), and what comes out is sanitised once more.
 */
const marked = new Marked({
  gfm: true,
  renderer: {
    html: ({ text }: Tokens.HTML | Tokens.Tag) => escape(text),
    image: ({ href, text }: Tokens.Image) => {
      const label = escape(text ? `Image: ${text}` : "Image");
      return WEB.test(href) ? `<a href="${escape(href)}">${label}</a>` : label;
    },
    link({ href, tokens }: Tokens.Link) {
      const label = this.parser.parseInline(tokens);
      return SAFE_LINK.test(href) ? `<a href="${escape(href)}">${label}</a>` : label;
    },
    checkbox: ({ checked }: Tokens.Checkbox) => (checked ? "☑ " : "☐ "),
  },
});

const WEB = /^https?:\/\//i;
const SAFE_LINK = /^(?:https?:|mailto:)/i;

const ALLOWED: Config = {
  ALLOWED_TAGS: [
    ..."a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s strong".split(" "),
    ..."sub sup table tbody td th thead tr ul".split(" "),
  ],
  ALLOWED_ATTR: ["href", "align", "start", "class"],
  ALLOWED_URI_REGEXP: SAFE_LINK,
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** The beginning of a line that may yet become the next item of the list before it: `2`, `2.`, `-`. */
const UNDECIDED = /^\s*(?:\d{1,9}[.)]?|[-*+])\s*$/;

export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** One piece of markdown as safe nodes. */
export function toNodes(markdown: string): DocumentFragment {
  const html = marked.parse(markdown, { async: false });
  const fragment = DOMPurify.sanitize(html, ALLOWED) as unknown as DocumentFragment;
  for (const link of fragment.querySelectorAll("a")) {
    link.target = "_blank";
    link.rel = "noopener noreferrer";
  }
  for (const node of fragment.querySelectorAll("[class]")) if (!/^language-[\w+-]+$/.test(node.className)) node.removeAttribute("class");
  return fragment;
}

/**
 * Markdown that grows. Only the unfinished tail is parsed and drawn again; a block that another one follows is done and
 * is never touched again, so selections in it stay and a long answer costs what its last paragraph costs.
 */
export class GrowingMarkdown {
  #settled = 0;
  #text = "";
  #live: HTMLElement | undefined;

  constructor(
    private readonly into: HTMLElement,
    private readonly decorate: (block: HTMLElement) => void = () => {},
  ) {}

  /** Show `text`. When it does not go on from what is shown, everything is drawn anew. */
  show(source: string): void {
    const text = source.replace(/\r\n?/g, "\n"); // as the parser does: offsets must agree
    if (text === this.#text) return;
    if (!text.startsWith(this.#text.slice(0, this.#settled))) this.#reset();
    this.#text = text;
    const tokens = marked.lexer(text.slice(this.#settled));
    // Blank lines end nothing yet: an item or an indented paragraph of the same list may follow.
    const solid = tokens.flatMap((token, index) => (token.type === "space" ? [] : [index]));
    let last = solid.pop() ?? 0;
    if (UNDECIDED.test(tokens[last]?.raw ?? "")) last = solid.pop() ?? last;
    for (const token of tokens.slice(0, last)) {
      this.#settled += token.raw.length;
      if (token.type !== "space") this.#draw(token.raw);
      if (token.type !== "space") this.#live = undefined;
    }
    const tail = tokens
      .slice(last)
      .map((token) => token.raw)
      .join("");
    if (tail.trim()) this.#draw(tail);
  }

  #draw(raw: string): void {
    this.#live ??= this.into.appendChild(Object.assign(document.createElement("div"), { className: "block" }));
    this.#live.replaceChildren(toNodes(raw));
    this.decorate(this.#live);
  }

  #reset(): void {
    this.into.replaceChildren();
    this.#settled = 0;
    this.#text = "";
    this.#live = undefined;
  }
}
