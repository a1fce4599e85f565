import type { AnyModel, RenderProps } from "@anywidget/types";
import { effect, type Signal } from "@preact/signals";
import { besideSnapshot, mount } from "../core/mount";
import { Rpc } from "../core/rpc";
import paneStyles from "../styles/pane.css";
import queryStyles from "../styles/query.css";
import tokens from "../styles/tokens.css";
import { Files } from "./export";
import { CellFaces } from "./faces";
import { QueryState, type QueryData } from "./state";
import { QueryView } from "./view";

const TYPING_MS = 200;

export default {
  render({ model, el }: RenderProps) {
    const state = new QueryState();
    const rpc = new Rpc(model, (data) => state.take(data as QueryData));
    state.rpc = rpc;
    const faces = new CellFaces(rpc);
    const files = new Files(state);
    const bound = [
      bind(model, "sql", state.sql, TYPING_MS),
      bind(model, "values", state.values, TYPING_MS),
      bind(model, "chart", state.chart),
      bind(model, "shown", state.shown),
      bind(model, "history", state.history),
    ];
    state.beforeAsking = () => bound.forEach(({ save }) => save());
    const unmount = mount(el, "query", [tokens, paneStyles, queryStyles], () => (
      <QueryView state={state} faces={faces} files={files} height={model.get("height")} bare={!!model.get("bare")} />
    ));
    const release = besideSnapshot(model, rpc, el);
    const unwatch = effect(() => rpc.watch(state.running.value));
    void rpc.start();
    return () => {
      release();
      unwatch();
      files.stop();
      bound.forEach(({ stop }) => stop());
      rpc.dispose();
      unmount();
      faces.dispose();
    };
  },
};

/**
 * A trait and a signal that follow each other. What is typed goes to Python when the typing pauses, at the latest when it is
 * asked or the pane goes; nothing that comes back meanwhile overwrites it.
 */
function bind<T>(model: AnyModel, name: string, own: Signal<T>, delay = 0): { save(): void; stop(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const same = (): boolean => JSON.stringify(model.get(name)) === JSON.stringify(own.peek());
  const onTrait = (): void => {
    if (timer === undefined && model.get(name) !== undefined && !same()) own.value = model.get(name) as T;
  };
  const save = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (model.get(name) === undefined || same()) return;
    model.set(name, own.peek());
    model.save_changes();
  };
  onTrait();
  model.on(`change:${name}`, onTrait);
  const unfollow = effect(() => {
    own.value;
    if (same()) return;
    clearTimeout(timer);
    if (delay > 0) timer = setTimeout(save, delay);
    else save();
  });
  const stop = (): void => {
    unfollow();
    save();
    model.off(`change:${name}`, onTrait);
  };
  return { save, stop };
}
