import { render, type ComponentChild } from "preact";
import { effect } from "@preact/signals";
import type { AnyModel } from "@anywidget/types";
import type { Rpc } from "./rpc";

/** Keys that stay JupyterLab's while the focus is in a pane: save, the command palette, function keys. */
export function passes(event: KeyboardEvent): boolean {
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  return (command && !event.shiftKey && key === "s") || (command && event.shiftKey && key === "c") || /^f\d+$/.test(key);
}

/**
 * A shadow root that keeps the notebook's styles and shortcuts out and follows its theme. Returns how to take it away.
 * The workbench marks the places of its panes with `data-bare`: there they lose border, height and name (pane.css).
 */
export function mount(el: HTMLElement, name: string, styles: string[], view: (host: HTMLElement) => ComponentChild): () => void {
  const host = el.appendChild(document.createElement("div"));
  host.dataset.spoon = name;
  if (el.dataset.bare !== undefined) host.dataset.bare = el.dataset.bare;
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = styles.map((text) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    return sheet;
  });
  // In command mode JupyterLab runs, cuts and adds cells on plain keys, also when a button in an output has the focus.
  const guard = (event: KeyboardEvent): void => {
    if (!passes(event)) event.stopPropagation();
  };
  host.addEventListener("keydown", guard);
  const unfollow = followTheme(host);
  render(view(host), root);
  return () => {
    render(null, root);
    unfollow();
    host.remove();
  };
}

function followTheme(host: HTMLElement): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = (): void => {
    const { jpThemeLight, jpThemeName } = document.body.dataset;
    host.dataset.theme = (jpThemeLight === undefined ? dark.matches : jpThemeLight === "false") ? "dark" : "light";
    host.dataset.contrast = /high contrast/i.test(jpThemeName ?? "") ? "more" : "normal";
  };
  apply();
  const watcher = new MutationObserver(apply);
  watcher.observe(document.body, { attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  dark.addEventListener("change", apply);
  return () => {
    watcher.disconnect();
    dark.removeEventListener("change", apply);
  };
}

/**
 * The saved snapshot lies beside the live view: it is hidden, unless no kernel ever answers (a saved notebook); then the
 * view gives way to it. A rule rather than an element's style: JupyterLab redraws the snapshot.
 */
export function besideSnapshot(model: AnyModel, rpc: Rpc, el: HTMLElement): () => void {
  const id = model.get("static_id") as string;
  if (!id) return () => {};
  const style = document.head.appendChild(document.createElement("style"));
  const stop = effect(() => {
    const cold = !rpc.met.value && rpc.link.value === "lost" && !!document.getElementById(id)?.querySelector("p, table");
    style.textContent = cold ? "" : `.jp-OutputArea-child:has(#${id}),#${id}{display:none}`;
    el.hidden = cold;
  });
  return () => {
    stop();
    style.remove();
  };
}
