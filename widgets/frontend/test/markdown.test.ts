// @vitest-environment jsdom
// DOMPurify does not work on happy-dom: it lets javascript: links through there.
import { beforeEach, expect, test } from "vitest";
import { GrowingMarkdown, toNodes } from "../src/core/markdown";

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
