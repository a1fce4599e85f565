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

const page = globalThis as typeof globalThis & { spoonAssets?: Map<string, Promise<unknown>> };

/** The module of an asset. A failed load is forgotten, so that the next call tries again. */
export function loadAsset<Name extends keyof Assets>(rpc: Rpc, name: Name): Promise<Assets[Name]> {
  const loaded = (page.spoonAssets ??= new Map());
  const known = loaded.get(name) ?? fetchAsset(rpc, name);
  loaded.set(name, known);
  known.catch(() => loaded.delete(name));
  return known as Promise<Assets[Name]>;
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
