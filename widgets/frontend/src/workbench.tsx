import type { RenderProps } from "@anywidget/types";
import { effect, signal } from "@preact/signals";
import { besideSnapshot, mount } from "./core/mount";
import { Rpc } from "./core/rpc";
import frame from "./styles/frame.css";
import offers from "./styles/offers.css";
import tokens from "./styles/tokens.css";
import benchStyles from "./styles/workbench.css";
import { refsOf } from "./workbench/slot";
import { Bench, TABS, type BenchData, type Tab } from "./workbench/state";
import { WorkbenchView } from "./workbench/view";

export default {
  render({ model, el, host }: RenderProps) {
    const bench = new Bench();
    const rpc = new Rpc(model, (data) => bench.take(data as BenchData));
    const tab = signal<Tab>(TABS.find((name) => name === model.get("tab")) ?? "images");
    const refs = signal(refsOf(model));
    const followTab = (): void => void (tab.value = model.get("tab") as Tab);
    const followPanes = (): void => void (refs.value = refsOf(model));
    model.on("change:tab", followTab);
    model.on("change:panes", followPanes);
    const stop = effect(() => {
      if (tab.value === model.get("tab")) return;
      model.set("tab", tab.value);
      model.save_changes();
    });
    const unmount = mount(el, "workbench", [tokens, frame, offers, benchStyles], () => (
      <WorkbenchView bench={bench} rpc={rpc} host={host} tab={tab} refs={refs} height={model.get("height")} />
    ));
    const release = besideSnapshot(model, rpc, el);
    void rpc.start();
    return () => {
      stop();
      model.off("change:tab", followTab);
      model.off("change:panes", followPanes);
      release();
      rpc.dispose();
      unmount();
    };
  },
};
