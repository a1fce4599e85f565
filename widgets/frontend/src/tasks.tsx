import type { RenderProps } from "@anywidget/types";
import { besideSnapshot, mount } from "./core/mount";
import { Rpc } from "./core/rpc";
import { TaskList, type TasksData } from "./tasks/state";
import { TasksView } from "./tasks/view";
import frame from "./styles/frame.css";
import taskStyles from "./styles/tasks.css";
import tokens from "./styles/tokens.css";

export default {
  render({ model, el }: RenderProps) {
    const list = new TaskList();
    const rpc = new Rpc(model, (data) => list.take(data as TasksData));
    const unmount = mount(el, "tasks", [tokens, frame, taskStyles], () => <TasksView list={list} rpc={rpc} height={model.get("height")} compact={!!model.get("compact")} />);
    const release = besideSnapshot(model, rpc, el);
    void rpc.start();
    return () => {
      release();
      rpc.dispose();
      unmount();
    };
  },
};
