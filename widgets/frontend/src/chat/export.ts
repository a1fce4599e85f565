import type { Conversation, Entry, Facts } from "./state";

/** The branch that is shown, turn by turn, as the exports need it. */
export interface Said {
  role: Facts["role"];
  name: string;
  text: string;
  facts: Facts;
}

export function shownTurns(chat: Conversation): Said[] {
  return chat.shown.peek().map((turn: Entry) => {
    const facts = turn.facts.peek();
    return { role: turn.role, name: turn.role === "user" ? "You" : (facts.model ?? facts.provider ?? "Answer"), text: turn.text.peek(), facts };
  });
}

/** The branch as markdown. */
export function toMarkdown(chat: Conversation): string {
  const title = chat.about.peek().title;
  const turns = shownTurns(chat).map(({ name, text, facts }) => {
    const pictures = facts.attachments.map((one) => `*Picture: ${one.filename || one.content}*`);
    return [`**${name}**`, ...pictures, text].join("\n\n");
  });
  return [...(title ? [`# ${title}`] : []), ...turns].join("\n\n") + "\n";
}

/** Everything, with every branch, as the kernel's `GET /conversations/:id` answers it. */
export function toJSON(chat: Conversation): string {
  const { id, title, active, system, options } = chat.about.peek();
  const turns = chat.branches.peek().all.map((turn) => {
    const { elapsed_ms: _, ...facts } = turn.facts.peek();
    return { ...facts, text: turn.text.peek() };
  });
  return JSON.stringify({ id, title, active_turn_id: active, system: system || null, options, turns }, null, 2) + "\n";
}

/** Python that asks the same again: the questions of the branch, each with the model that answered it. */
export function toPython(chat: Conversation): string {
  const { system, options } = chat.about.peek();
  const turns = chat.shown.peek();
  const lines = ["import spoonkernel as spoon", "", "wb = spoon.open()", `messages = [${system ? python({ role: "system", content: system }) : ""}]`];
  lines.push(`options = ${optionsInPython(options)}`, "", "", "async def ask(text, **who):");
  lines.push('    messages.append({"role": "user", "content": text})');
  lines.push("    reply = await wb.chat.send(messages=messages, options=options, **who)");
  lines.push('    messages.append({"role": "assistant", "content": reply.response})', "    return reply.response", "", "");
  turns.forEach((turn, index) => {
    if (turn.role !== "user") return;
    const pictures = turn.facts.peek().attachments.length;
    if (pictures > 0) lines.push(`# ${pictures === 1 ? "a picture" : `${pictures} pictures`} went with this question`);
    const answer = turns[index + 1]?.facts.peek();
    const who = answer ?? chat.choice.peek();
    const names = { provider: who?.provider, model: who?.model, profile_id: who?.profile_id };
    const given = Object.entries(names).filter(([, value]) => value);
    lines.push(`await ask(${[python(turn.text.peek()), ...given.map(([name, value]) => `${name}=${python(value)}`)].join(", ")})`);
  });
  return lines.join("\n") + "\n";
}

/** A notebook: questions and answers as text, Python in an answer as a cell to run. */
export function toNotebook(chat: Conversation): string {
  const cells: object[] = [];
  const add = (cell_type: "markdown" | "code", source: string): void => {
    if (source.trim())
      cells.push({ cell_type, id: `turn-${cells.length}`, metadata: {}, source: source.trim(), ...(cell_type === "code" && { outputs: [], execution_count: null }) });
  };
  if (chat.about.peek().title) add("markdown", `# ${chat.about.peek().title}`);
  for (const { role, name, text } of shownTurns(chat)) {
    const parts = role === "user" ? [text] : text.split(/^```(?:python|py)[^\n]*\n([\s\S]*?)^```[ \t]*$/m);
    parts.forEach((part, index) => add(index % 2 ? "code" : "markdown", index === 0 ? `**${name}**\n\n${part}` : part));
  }
  const kernelspec = { name: "python3", display_name: "Python 3 (ipykernel)", language: "python" };
  return JSON.stringify({ cells, metadata: { kernelspec, language_info: { name: "python" } }, nbformat: 4, nbformat_minor: 5 }, null, 1) + "\n";
}

/** Save a text as a file, from the page alone. */
export function download(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function fileName(title: string, ending: string): string {
  return `${title.replace(/[^\p{L}\p{N} _.-]+/gu, "").trim().slice(0, 60) || "chat"}.${ending}`;
}

/** A plain value as Python. JSON's strings are Python's, but for what it writes for nothing, yes and no. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([key, one]) => `${JSON.stringify(key)}: ${python(one)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/** Options come as text; numbers are written as they stand, so that a 64-bit seed stays exact. */
function optionsInPython(options: Record<string, string>): string {
  const pairs = Object.entries(options).map(([name, text]) => {
    const value = name === "stop" ? python(text.split("\n")) : /^-?\d+(?:\.\d+)?(?:e-?\d+)?$/i.test(text) ? text : python(text);
    return `${JSON.stringify(name)}: ${value}`;
  });
  return `{${pairs.join(", ")}}`;
}
