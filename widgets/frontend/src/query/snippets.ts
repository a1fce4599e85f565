/** Ready questions, and the ones that people keep. Kept ones are in this browser's storage: they are for every notebook of
 * its user, and the workbench has no place for what is a person's own. Where there is no storage they last as long as the page. */
export interface Snippet {
  name: string;
  sql: string;
}

export const READY: Snippet[] = [
  {
    name: "What did each model cost this week?",
    sql: "select provider, model, count(*) as runs, sum(cost_usd) as cost_usd\nfrom runs\nwhere created_at > now() - interval 7 days\ngroup by all\norder by cost_usd desc nulls last",
  },
  { name: "Which seeds did I rate 4 or better?", sql: "select id, seed, cfg_scale, steps, sampler_name, rating, prompt\nfrom runs\nwhere rating >= 4\norder by rating desc, created_at desc" },
  { name: "What failed lately, and why?", sql: "select created_at, kind, provider, model, error\nfrom runs\nwhere status = 'failed'\norder by created_at desc\nlimit 200" },
  { name: "Which model answers first?", sql: "select model, count(*) as replies, median(first_token_ms) as first_token_ms, median(duration_ms) as duration_ms\nfrom runs\nwhere kind = 'reply'\ngroup by all\norder by first_token_ms" },
  { name: "Do more steps make better images?", sql: "select steps, sampler_name, count(*) as images, avg(rating) as rating, avg(duration_ms) as duration_ms\nfrom runs\nwhere kind = 'generation' and rating is not null\ngroup by all\norder by steps" },
];

const PLACE = "spoon.query.snippets";
const MOST = 100;
let kept: Snippet[] = [];

export function keptSnippets(): Snippet[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(PLACE) ?? "[]");
    if (Array.isArray(found)) kept = found.filter((one) => typeof one?.name === "string" && typeof one?.sql === "string");
  } catch {
    // no storage here (VS Code, a sandbox), or somebody else's text in it
  }
  return kept;
}

export function keepSnippet(name: string, sql: string): void {
  store([...keptSnippets().filter((one) => one.name !== name), { name, sql }].slice(-MOST));
}

export function dropSnippet(name: string): void {
  store(keptSnippets().filter((one) => one.name !== name));
}

function store(snippets: Snippet[]): void {
  kept = snippets;
  try {
    localStorage.setItem(PLACE, JSON.stringify(snippets));
  } catch {
    // as above
  }
}
