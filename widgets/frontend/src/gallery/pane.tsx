import type { AnyModel, RenderProps } from "@anywidget/types";
import { effect, signal, type Signal } from "@preact/signals";
import { besideSnapshot, mount } from "../core/mount";
import { Rpc, type Early } from "../core/rpc";
import { Deeds } from "./deeds";
import { Faces } from "./faces";
import type { Size } from "./grid";
import { Loader } from "./load";
import { Originals } from "./originals";
import { GalleryState, type GalleryData, type Sort } from "./state";
import { GalleryView } from "./view";
import galleryStyles from "../styles/gallery.css";
import paneStyles from "../styles/pane.css";
import tokens from "../styles/tokens.css";

export default {
  render({ model, el }: RenderProps, early?: Early) {
    const state = new GalleryState();
    const drawn = new Set<string>();
    const strip = new Set<string>();
    const rpc: Rpc = new Rpc(model, (data, buffers) => {
      const told = data as GalleryData;
      told.faces?.forEach(([id, index], place) => faces.put(`${id}:${index}`, buffers[place]!));
      if (told.renewed) state.keepOnly(new Set(told.rows.map(({ id }) => id))); // Python shows other ones now
      state.take(told);
      if (told.whole) void loader.load(told.rows).catch(() => {}); // the next whole state tries again
    });
    const loader = new Loader(rpc, state);
    const faces = new Faces(rpc, (key) => drawn.has(key) || strip.has(key));
    const originals = new Originals(rpc);
    const deeds = new Deeds(rpc, state, originals);
    state.onChange = (item) => faces.renew(item);
    rpc.onHint = ({ preview, type }: { preview: string; type: string }, [bytes]) => bytes && faces.preview(`${preview}:0`, type, bytes);

    const size = signal<Size>("M");
    const unbind = [
      bind(model, "tile", size, (value) => (size.value = value as Size)),
      bind(model, "sort", state.sort, (value) => {
        state.sort.value = value as Sort;
        state.arrange();
      }),
      bind(model, "filter", state.filter, (value) => state.setFilter(String(value))),
    ];
    const tools = { rpc, state, deeds, faces, originals, strip };
    const unmount = mount(el, "gallery", [tokens, paneStyles, galleryStyles], () => (
      <GalleryView tools={tools} drawn={drawn} height={model.get("height")} bare={!!model.get("bare")} size={size} />
    ));
    const release = besideSnapshot(model, rpc, el);
    void rpc.start(early);
    return () => {
      release();
      loader.stop();
      unbind.forEach((stop) => stop());
      deeds.dispose();
      rpc.dispose();
      unmount();
      faces.dispose();
      originals.dispose();
    };
  },
};

/** A trait and a signal that follow each other: Python and every view of the pane share it. */
function bind(model: AnyModel, name: string, own: Signal<string>, take: (value: unknown) => void): () => void {
  const onTrait = (): void => {
    if (model.get(name) !== own.peek()) take(model.get(name));
  };
  if (model.get(name) !== undefined) take(model.get(name));
  model.on(`change:${name}`, onTrait);
  const stop = effect(() => {
    const value = own.value;
    if (model.get(name) === value || model.get(name) === undefined) return;
    model.set(name, value);
    model.save_changes();
  });
  return () => {
    stop();
    model.off(`change:${name}`, onTrait);
  };
}
