import { effect, signal, type Signal } from "@preact/signals";
import type { AnyModel, RenderProps } from "@anywidget/types";
import { besideSnapshot, mount } from "./core/mount";
import { Rpc } from "./core/rpc";
import { Actions } from "./chat/actions";
import { Conversation, type ChatData } from "./chat/state";
import { ChatView } from "./chat/view";
import chatStyles from "./styles/chat.css";
import paneStyles from "./styles/pane.css";
import tokens from "./styles/tokens.css";

const DRAFT_SAVE_MS = 400;

/** A draft outlives its view on the page: running the cell again brings it back. */
const page = globalThis as typeof globalThis & { spoonDrafts?: string[] };

function draftOf(model: AnyModel): { draft: Signal<string>; dispose: () => void } {
  const draft = signal<string>((model.get("draft") as string) || page.spoonDrafts?.shift() || "");
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = effect(() => {
    const text = draft.value;
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (text === model.get("draft")) return;
      model.set("draft", text);
      model.save_changes();
    }, DRAFT_SAVE_MS);
  });
  return {
    draft,
    dispose() {
      stop();
      clearTimeout(timer);
      if (draft.peek()) (page.spoonDrafts ??= []).push(draft.peek());
    },
  };
}

export default {
  render({ model, el }: RenderProps) {
    const chat = new Conversation();
    const rpc = new Rpc(model, (data) => chat.take(data as ChatData));
    const { draft, dispose } = draftOf(model);
    const at = new Actions(chat, rpc, draft, (model as { widget_manager?: unknown }).widget_manager, el);
    if (model.get("bare")) el.dataset.bare ??= "";
    const unmount = mount(el, "chat", [tokens, paneStyles, chatStyles], () => <ChatView at={at} height={model.get("height")} />);
    const release = besideSnapshot(model, rpc, el);
    void rpc.start();
    at.loadMarkdown().catch(() => {}); // answers are plain text then
    return () => {
      release();
      rpc.dispose();
      unmount();
      at.dispose();
      dispose();
    };
  },
};
