import type { Rpc } from "./rpc";

/** Heavy parts that are fetched over the comm when a pane first needs one, and evaluated once for the whole page. */
export interface Assets {
  markdown: typeof import("../assets/markdown");
  highlight: typeof import("../assets/highlight");
  temml: typeof import("../assets/temml");
  codemirror: typeof import("../assets/codemirror");
  gallery: typeof import("../assets/gallery");
  params: typeof import("../assets/params");
  query: typeof import("../assets/query");
}

/** What one view has fetched, or is fetching, for all of the page. */
interface Fetched {
  module: Promise<unknown>;
  by: Rpc;
}

/** A view that fetches may go, or its kernel. After so long another view no longer waits for it, and asks for itself. */
export const OTHERS_MS = 3_000;
const page = globalThis as typeof globalThis & { spoonAssets?: Map<string, Fetched> };

/** The module of an asset. A failed load is forgotten, so that the next call tries again. */
export async function loadAsset<Name extends keyof Assets>(rpc: Rpc, name: Name): Promise<Assets[Name]> {
  const fetched = (page.spoonAssets ??= new Map());
  const known = fetched.get(name);
  const found = known && (await (known.by === rpc ? known.module : withinReason(known.module)));
  if (found) return found as Assets[Name];
  const newer = fetched.get(name);
  if (newer && newer !== known) return loadAsset(rpc, name); // yet another view waited less long
  const own = { module: fetchAsset(rpc, name), by: rpc };
  fetched.set(name, own);
  own.module.catch(() => fetched.get(name) === own && fetched.delete(name));
  return own.module as Promise<Assets[Name]>;
}

/** Another view's module; nothing when it does not come. */
async function withinReason(module: Promise<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, OTHERS_MS)));
  return Promise.race([module.catch(() => undefined), late]).finally(() => clearTimeout(timer));
}

async function fetchAsset(rpc: Rpc, name: string): Promise<unknown> {
  const source = await rpc.call<DataView<ArrayBuffer>>("asset", { name });
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return await import(/* @vite-ignore */ url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
