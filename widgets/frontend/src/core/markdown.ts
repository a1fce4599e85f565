import DOMPurify, { type Config } from "dompurify";
import { Marked, type Token, type Tokens } from "marked";
import { math } from "./formulas";

/**
 * Markdown of a model, which nobody vouches for: the page holds the user's Jupyter token. Raw HTML is shown as text,
 * images become links (loading one would tell its server who reads), and what comes out is sanitised once more.
 */
const marked = new Marked({
  gfm: true,
  extensions: math,
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
    ..."a b blockquote br code del em h1 h2 h3 h4 h5 h6 hr i li ol p pre s span strong".split(" "),
    ..."sub sup table tbody td th thead tr ul".split(" "),
  ],
  ALLOWED_ATTR: ["href", "align", "start", "class"],
  ALLOWED_URI_REGEXP: SAFE_LINK,
  ADD_URI_SAFE_ATTR: ["align", "start"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

/** Formulas: MathML alone, without links, pictures and actions, whatever the TeX asked for. */
const MATH: Config = {
  USE_PROFILES: { mathMl: true },
  ADD_ATTR: ["class", "style"], // what they may say is looked at below
  FORBID_TAGS: ["maction", "semantics", "annotation", "annotation-xml", "mglyph", "malignmark", "a", "img", "style"],
  FORBID_ATTR: ["href", "xlink:href", "src", "id", "name", "actiontype"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const CODE: Config = { ALLOWED_TAGS: ["span"], ALLOWED_ATTR: ["class"], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, RETURN_DOM_FRAGMENT: true };

/** The classes that come out of the parser; the pane gives them looks. */
const OUR_CLASS = /^(?:language-[\w+#.-]+|tex|tex display)$/;

/** Temml's own classes, and the few styles it lays matrices and colours out with: nothing that loads or leaves its place. */
const MATH_CLASS = /^tml-[a-z-]+$/;
const MATH_STYLE = /^\s*(?:color|background-color|text-align|padding-(?:left|right|top|bottom)):[\s\w#.%-]+$/;

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
  for (const node of fragment.querySelectorAll("[class]")) if (!OUR_CLASS.test(node.className)) node.removeAttribute("class");
  return fragment;
}

/** MathML made from a model's TeX, as safe nodes. */
export function mathNodes(mathML: string): DocumentFragment {
  const fragment = DOMPurify.sanitize(mathML, MATH) as unknown as DocumentFragment;
  for (const node of fragment.querySelectorAll("[class]")) keep(node, "class", " ", MATH_CLASS);
  for (const node of fragment.querySelectorAll("[style]")) keep(node, "style", ";", MATH_STYLE);
  return fragment;
}

function keep(node: Element, attribute: string, separator: string, allowed: RegExp): void {
  const parts = (node.getAttribute(attribute) ?? "").split(separator).filter((part) => allowed.test(part));
  if (parts.length > 0) node.setAttribute(attribute, parts.join(separator));
  else node.removeAttribute(attribute);
}

/** Coloured code, as safe nodes. */
export function codeNodes(html: string): DocumentFragment {
  return DOMPurify.sanitize(html, CODE) as unknown as DocumentFragment;
}

/**
 * Markdown that grows. Only the unfinished tail is parsed and drawn again; a block that another one follows is done and
 * is never touched again, so selections in it stay and a long answer costs what its last paragraph costs. A code block
 * in the writing only gets its new text, so its buttons and its scroll position stay.
 */
export class GrowingMarkdown {
  #settled = 0;
  #text = "";
  #live: HTMLElement | undefined;
  /** The code that is being written, and the language it was begun in. */
  #code: { element: HTMLElement; language: string } | undefined;

  constructor(
    private readonly into: HTMLElement,
    /** Dresses a block; `done` when nothing of it will change any more. */
    private readonly decorate: (block: HTMLElement, done: boolean) => void = () => {},
  ) {}

  /** Show `text`; `whole` when nothing more will come. When it does not go on from what is shown, all is drawn anew. */
  show(source: string, whole = false): void {
    const text = source.replace(/\r\n?/g, "\n"); // as the parser does: offsets must agree
    if (text === this.#text) return this.#end(whole);
    if (!text.startsWith(this.#text.slice(0, this.#settled))) this.#reset();
    this.#text = text;
    const tokens = marked.lexer(text.slice(this.#settled));
    // Blank lines end nothing yet: an item or an indented paragraph of the same list may follow.
    const solid = tokens.flatMap((token, index) => (token.type === "space" ? [] : [index]));
    let last = solid.pop() ?? 0;
    if (UNDECIDED.test(tokens[last]?.raw ?? "")) last = solid.pop() ?? last;
    for (const token of tokens.slice(0, last)) {
      this.#settled += token.raw.length;
      if (token.type !== "space") this.#settle(token);
    }
    const rest = tokens.slice(last);
    const tail = rest.map((token) => token.raw).join("");
    if (tail.trim()) this.#draw(tail, rest.length === 1 ? rest[0] : undefined);
    this.#end(whole);
  }

  #end(whole: boolean): void {
    if (whole && this.#live) this.decorate(this.#live, true);
  }

  #settle(token: Token): void {
    this.#draw(token.raw, token);
    if (this.#live) this.decorate(this.#live, true);
    this.#live = this.#code = undefined;
  }

  #draw(raw: string, only: Token | undefined): void {
    const code = only?.type === "code" && only.codeBlockStyle !== "indented" ? (only as Tokens.Code) : undefined;
    if (code && this.#code && this.#code.language === (code.lang ?? "")) {
      this.#code.element.textContent = code.text.replace(/\n$/, "") + "\n"; // as the parser ends it
      return;
    }
    this.#live ??= this.into.appendChild(Object.assign(document.createElement("div"), { className: "block" }));
    this.#live.replaceChildren(toNodes(raw));
    this.#code = undefined;
    const element = code && this.#live.querySelector<HTMLElement>("pre > code");
    if (element) this.#code = { element, language: code.lang ?? "" };
    this.decorate(this.#live, false);
  }

  #reset(): void {
    this.into.replaceChildren();
    this.#settled = 0;
    this.#text = "";
    this.#live = this.#code = undefined;
  }
}
