import type { RenderProps } from "@anywidget/types";
import { besideSnapshot, mount } from "./core/mount";
import { Rpc } from "./core/rpc";
import { Book, type ProfilesData } from "./profiles/state";
import { ProfilesView } from "./profiles/view";
import paneStyles from "./styles/pane.css";
import profileStyles from "./styles/profiles.css";
import tokens from "./styles/tokens.css";

export default {
  render({ model, el }: RenderProps) {
    const book = new Book();
    const rpc = new Rpc(model, (data) => book.take(data as ProfilesData));
    const unmount = mount(el, "profiles", [tokens, paneStyles, profileStyles], () => <ProfilesView book={book} rpc={rpc} height={model.get("height")} />);
    const release = besideSnapshot(model, rpc, el);
    void rpc.start();
    return () => {
      release();
      rpc.dispose();
      unmount();
    };
  },
};
