import type { RenderProps } from "@anywidget/types";
import { signal } from "@preact/signals";
import paneStyles from "../styles/pane.css";
import tokens from "../styles/tokens.css";
import { loadAsset, type Assets } from "./assets";
import { besideSnapshot, mount } from "./mount";
import { Icon, LinkBanner } from "./parts";
import { Rpc, type Early } from "./rpc";

interface PaneModule {
  default: { render(props: RenderProps, early?: Early): () => void };
}

/** The assets that are whole panes. */
type PaneAsset = { [Name in keyof Assets]: Assets[Name] extends PaneModule ? Name : never }[keyof Assets];

/**
 * The frame of a pane while the pane itself is on its way. A pane's file is copied into each of its instances in a
 * notebook; what it fetches is there once for the page. A pane that takes an early hello has its state when it is there.
 */
export function latePane(name: PaneAsset, title: string, greets = false): { render(props: RenderProps): () => void } {
  return {
    render({ model, el }) {
      const rpc = new Rpc(model, () => {});
      const trouble = signal("");
      const bare = model.get("bare") as boolean;
      let gone = false;
      const unmount = mount(el, name, [tokens, paneStyles], () => (
        <section class={`pane${bare ? " bare" : ""}`} aria-label={title} aria-busy style={{ height: bare ? "100%" : `${model.get("height")}px` }}>
          {!bare && (
            <header class="head">
              <h2>{title}</h2>
            </header>
          )}
          <LinkBanner rpc={rpc} />
          {trouble.value && (
            <div class="banner danger" role="alert">
              <Icon name="failed" />
              <span class="text">{trouble.value}</span>
            </div>
          )}
        </section>
      ));
      const release = besideSnapshot(model, rpc, el);
      let dispose = (): void => {
        release();
        unmount();
      };
      const early = greets ? rpc.greet() : undefined;
      const show = ({ default: pane }: PaneModule): void => {
        if (gone) return;
        const close = dispose;
        dispose = pane.render({ model, el } as RenderProps, early);
        close();
      };
      loadAsset(rpc, name)
        .then(show, (error: Error) => (trouble.value = error.message))
        .finally(() => rpc.dispose()); // not before: other panes of the page may wait for the same answer
      return () => {
        gone = true;
        dispose();
      };
    },
  };
}
