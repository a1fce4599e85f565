/** Markdown and what keeps it safe. Fetched with the first view of a chat; until it is there, answers are plain text. */
export { codeNodes, GrowingMarkdown, mathNodes, toNodes } from "../core/markdown";
