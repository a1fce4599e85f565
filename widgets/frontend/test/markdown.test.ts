// @vitest-environment jsdom
// DOMPurify does not work on happy-dom: it lets javascript: links through there.
import { beforeEach, expect, test } from "vitest";
import { GrowingMarkdown, mathNodes, toNodes } from "../src/core/markdown";

let box: HTMLElement;
beforeEach(() => {
  box = document.createElement("div");
});

function html(markdown: string): string {
  const into = document.createElement("div");
  into.append(toNodes(markdown));
  return into.innerHTML.trim();
}

/** Show a text letter by letter. */
function grow(text: string, markdown = new GrowingMarkdown(box)): void {
  growFrom(1, text, markdown);
}

function growFrom(start: number, text: string, markdown: GrowingMarkdown): void {
  for (let at = start; at <= text.length; at++) markdown.show(text.slice(0, at));
}

const LONG = [
  "# A title",
  "A paragraph with **bold**\nand a second line.",
  "- one\n- two\n\n  still two\n- three",
  "1. first\n\n2. second\n   - nested",
  "```python\nx = 1\n\n# not a title\n```",
  "| a | b |\n|---|--:|\n| 1 | 2 |",
  "> quoted\n> twice",
  "The end.",
].join("\n\n");

test("text that grew letter by letter looks like text that came at once", () => {
  grow(LONG);
  const whole = document.createElement("div");
  new GrowingMarkdown(whole).show(LONG);
  expect(box.innerHTML).toBe(whole.innerHTML);
  expect(box.querySelectorAll(".block")).toHaveLength(8);
  expect(box.querySelectorAll("ol > li")).toHaveLength(2);
});

test("a finished block is never touched again", () => {
  const markdown = new GrowingMarkdown(box);
  markdown.show("First.\n\nSecond");
  const first = box.querySelector("p");
  growFrom(15, "First.\n\nSecond one.\n\n```\ncode\n```\n\nThird.", markdown);
  expect(box.querySelector("p")).toBe(first);
});

test("a text that does not go on from the old one is drawn anew", () => {
  const markdown = new GrowingMarkdown(box);
  markdown.show("First.\n\nSecond.");
  markdown.show("Other.");
  expect(box.textContent?.trim()).toBe("Other.");
});

test("windows line ends do not shift the blocks", () => {
  new GrowingMarkdown(box).show("One.\r\n\r\nTwo.\r\n\r\nThree.");
  expect([...box.querySelectorAll("p")].map((block) => block.textContent)).toEqual(["One.", "Two.", "Three."]);
});

test("raw HTML is text", () => {
  expect(html("<b>bold</b>")).toContain("&lt;b&gt;bold&lt;/b&gt;");
  expect(html("a <script>x</script>")).not.toContain("<script");
});

test("an image is a link with its words, and loads nothing", () => {
  expect(html("![a cat](https://cats.example/1.png)")).toBe(
    '<p><a href="https://cats.example/1.png" target="_blank" rel="noopener noreferrer">Image: a cat</a></p>',
  );
  expect(html("![a cat](data:image/png;base64,AAAA)")).toBe("<p>Image: a cat</p>");
});

test("a link opens elsewhere and only web and mail addresses are links", () => {
  expect(html("[a](https://a.example)")).toContain('rel="noopener noreferrer"');
  for (const address of ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//host/x"])
    expect(html(`[a](${address})`)).not.toContain("href");
});

test("tables keep the side their numbers stand on", () => {
  expect(html("| a |\n|--:|\n| 1 |")).toContain('<td align="right">1</td>');
});

test("a numbered list may begin anywhere", () => {
  expect(html("3. three")).toContain('start="3"');
});

test("formulas come out as their TeX, money does not", () => {
  expect(html("so $a_b < c$ and \\(x\\)")).toContain('<span class="tex">a_b &lt; c</span> and <span class="tex">x</span>');
  for (const plain of ["it costs $5 and $10", "\\$x$", "a $ b $"]) expect(html(plain)).not.toContain("tex");
  expect(html("$$\na\n- b\n$$")).toContain('<span class="tex display">a\n- b</span>');
  expect(html("\\[ x \\]")).toContain('class="tex display"');
  expect(html("`$x$`")).not.toContain("tex");
});

test("a formula that grew letter by letter is one formula", () => {
  const source = "Then\n\n$$\na\n- b\n= c\n$$\n\nand $x$.";
  grow(source);
  expect([...box.querySelectorAll(".tex")].map((found) => found.textContent)).toEqual(["a\n- b\n= c", "x"]);
});

test("code in the writing keeps its element, and is told when it is whole", () => {
  const told: boolean[] = [];
  const markdown = new GrowingMarkdown(box, (_, done) => told.push(done));
  markdown.show("```python\nx");
  const code = box.querySelector("code");
  markdown.show("```python\nx = 1\ny = 2\n```");
  expect(box.querySelector("code")).toBe(code);
  expect(code!.textContent).toBe("x = 1\ny = 2\n");
  expect(told).toEqual([false]);
  markdown.show("```python\nx = 1\ny = 2\n```", true);
  expect(told).toEqual([false, true]);
});

test("MathML keeps its layout and loses what loads, links or leaves its place", () => {
  const into = document.createElement("div");
  into.append(
    mathNodes(
      "<math href='javascript:1' class='tml-display evil' style='position:fixed;color:red;background:url(https://e.example)'>" +
        "<maction actiontype='toggle'><mi>x</mi></maction><mglyph src='https://e.example'></mglyph><mi xlink:href='https://e.example' id='a'>y</mi></math><img src=x>",
    ),
  );
  expect(into.innerHTML).toContain('class="tml-display" style="color:red"');
  expect(into.innerHTML).not.toMatch(/href|src|url|maction|mglyph|img|id=/);
  expect(into.textContent).toContain("y");
});
