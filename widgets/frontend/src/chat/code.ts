import { loadAsset } from "../core/assets";
import { copyText } from "../core/clipboard";
import { ICONS, type IconName } from "../core/icons";
import type { Actions } from "./actions";

/** Longer code keeps one colour: colouring it would hold up the page. */
const MAX_COLOURED = 40_000;
const drawn = new Map<string, string>();

/** Dress one block of an answer: a head for code, colours once it is whole, formulas once they can be drawn. */
export function dress(block: HTMLElement, done: boolean, at: Actions): void {
  for (const pre of block.querySelectorAll("pre")) {
    if (!pre.closest("figure")) frame(pre, at);
    if (done) void colour(pre);
  }
  if (block.querySelector(".tex:not(.drawn)")) void drawFormulas(block, at);

  async function colour(pre: HTMLPreElement): Promise<void> {
    const code = pre.querySelector("code");
    const text = code?.textContent ?? "";
    const language = languageOf(pre);
    if (!code || !language || text.length > MAX_COLOURED || code.dataset.coloured) return;
    code.dataset.coloured = "yes";
    const { highlight } = await loadAsset(at.rpc, "highlight");
    const html = highlight(text, language);
    if (html !== null && code.textContent === text && at.markdown.peek()) code.replaceChildren(at.markdown.peek()!.codeNodes(html));
  }
}

function languageOf(pre: HTMLPreElement): string {
  return pre.querySelector("code")?.className.replace("language-", "").toLowerCase() ?? "";
}

/** Give a code block its head with the language, Wrap, Copy and Insert below. */
function frame(pre: HTMLPreElement, at: Actions): void {
  const figure = document.createElement("figure");
  figure.className = "code";
  pre.replaceWith(figure);
  pre.tabIndex = 0;
  const top = figure.appendChild(document.createElement("div"));
  top.className = "bar-top";
  const language = top.appendChild(document.createElement("span"));
  language.className = "grow";
  language.textContent = languageOf(pre) || "text";
  const text = (): string => (pre.textContent ?? "").replace(/\n$/, "");
  const wrap = button("wrap", "Wrap", () => wrap.setAttribute("aria-pressed", String(pre.classList.toggle("wrapped"))));
  wrap.setAttribute("aria-pressed", "false");
  top.append(
    wrap,
    button("copy", "Copy", async (say) => say((await copyText(text())) ? "Copied" : "Not possible here")),
    button("insert", "Insert below", async (say) => say(await at.insert(text()))),
  );
  figure.append(pre);
}

function button(icon: IconName, label: string, act: (say: (words: string) => void) => unknown): HTMLButtonElement {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "btn plain";
  made.innerHTML = `<svg class="i" viewBox="0 0 16 16" aria-hidden="true">${ICONS[icon]}</svg><span>${label}</span>`;
  const words = made.lastElementChild!;
  const say = (told: string): void => {
    words.textContent = told;
    setTimeout(() => (words.textContent = label), 1500);
  };
  made.addEventListener("click", () => act(say));
  return made;
}

/** Formulas become MathML; one that cannot be read stays as it was written. */
async function drawFormulas(block: HTMLElement, at: Actions): Promise<void> {
  const known = [...block.querySelectorAll<HTMLElement>(".tex:not(.drawn)")];
  const put = (element: HTMLElement, mathML: string): void => {
    element.classList.add("drawn");
    if (mathML && at.markdown.peek()) element.replaceChildren(at.markdown.peek()!.mathNodes(mathML));
  };
  const fresh = known.filter((element) => {
    const mathML = drawn.get(key(element));
    if (mathML !== undefined) put(element, mathML); // at once: a block in the writing is drawn again and again
    return mathML === undefined;
  });
  if (fresh.length === 0) return;
  const { toMathML } = await loadAsset(at.rpc, "temml");
  if (drawn.size > 500) drawn.clear();
  for (const element of fresh) {
    const mathML = toMathML(element.textContent ?? "", element.classList.contains("display"));
    drawn.set(key(element), mathML.startsWith("<math") ? mathML : "");
    put(element, drawn.get(key(element))!);
  }
}

const key = (element: HTMLElement): string => `${element.classList.contains("display")} ${element.textContent}`;
