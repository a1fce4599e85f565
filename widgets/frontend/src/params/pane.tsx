import type { RenderProps } from "@anywidget/types";
import { besideSnapshot, mount } from "../core/mount";
import { Rpc } from "../core/rpc";
import paneStyles from "../styles/pane.css";
import paramsStyles from "../styles/params.css";
import tokens from "../styles/tokens.css";
import { ParamsState, type ParamsData } from "./state";
import { ParamsView } from "./view";

export default {
  render({ model, el }: RenderProps) {
    const state = new ParamsState();
    const rpc = new Rpc(model, (data) => state.take(data as ParamsData));
    state.rpc = rpc;
    rpc.onHint = (data, buffers) => state.hear(data, buffers);
    const unmount = mount(el, "params", [tokens, paneStyles, paramsStyles], () => (
      <ParamsView state={state} rpc={rpc} height={model.get("height")} bare={model.get("bare")} />
    ));
    const release = besideSnapshot(model, rpc, el);
    void rpc.start();
    return () => {
      release();
      rpc.dispose();
      unmount();
      state.dispose();
    };
  },
};
