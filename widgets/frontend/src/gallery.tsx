import type { RenderProps } from "@anywidget/types";
import { signal } from "@preact/signals";
import { loadAsset } from "./core/assets";
import { besideSnapshot, mount } from "./core/mount";
import { Icon, LinkBanner } from "./core/parts";
import { Rpc } from "./core/rpc";
import paneStyles from "./styles/pane.css";
import tokens from "./styles/tokens.css";

/**
 * The frame of a gallery while the gallery itself is on its way. This file is copied into every gallery of a notebook;
 * what it fetches is there once for the page.
 */
export default {
  render({ model, el }: RenderProps) {
    const rpc = new Rpc(model, () => {});
    const trouble = signal("");
    let gone = false;
    const unmount = mount(el, "gallery", [tokens, paneStyles], () => (
      <section class={`pane${model.get("bare") ? " bare" : ""}`} aria-label="Gallery" aria-busy style={{ height: `${model.get("height")}px` }}>
        {!model.get("bare") && (
          <header class="head">
            <h2>Gallery</h2>
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
    const show = ({ default: pane }: typeof import("./assets/gallery")): void => {
      if (gone) return;
      const close = dispose;
      dispose = pane.render({ model, el } as RenderProps);
      close();
    };
    loadAsset(rpc, "gallery")
      .then(show, (error: Error) => (trouble.value = error.message))
      .finally(() => rpc.dispose()); // not before: other galleries of the page may wait for the same answer
    return () => {
      gone = true;
      dispose();
    };
  },
};
