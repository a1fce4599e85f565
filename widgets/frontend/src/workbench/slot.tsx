import type { AnyModel, Host } from "@anywidget/types";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../core/parts";

const REFERENCE = "IPY_MODEL_";

/** The panes' model ids by name, as the trait holds them (ipywidgets' way of naming widgets in a trait). */
export function refsOf(model: AnyModel): Record<string, string> {
  const panes = (model.get("panes") ?? {}) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(panes).flatMap(([name, ref]) => (typeof ref === "string" ? [[name, ref.replace(REFERENCE, "")]] : [])));
}

interface Props {
  id: string;
  host: Host | undefined;
  /** Its own height instead of the place's. */
  fit?: boolean;
}

/**
 * The place of a pane: a view of another widget, made by anywidget's host. It ends with the place.
 * `host` came with anywidget 0.11; a front end that lacks it cannot put widgets into one another, and says so.
 */
export function Slot({ id, host, fit = false }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const trouble = useSignal("");
  useEffect(() => {
    const el = place.current!;
    const end = new AbortController();
    el.dataset.bare = fit ? "fit" : "";
    trouble.value = "";
    if (typeof host?.getWidget !== "function")
      trouble.value = "This front end cannot put panes into one another. Show them one by one instead: Params(wb), Gallery(wb), Chat(wb), Query(wb), Tasks(wb), Profiles(wb).";
    else
      host
        .getWidget(`anywidget:${id}`)
        .then((widget) => (end.signal.aborted ? undefined : widget.render({ el, signal: end.signal })))
        .catch((error: Error) => end.signal.aborted || (trouble.value = `This pane could not be shown (${error.message}). Run the cell again.`));
    return () => {
      end.abort();
      el.replaceChildren();
    };
  }, [id, host, fit]);
  return (
    <>
      <div class={fit ? "slot fit" : "slot"} ref={place} hidden={trouble.value !== ""} />
      {trouble.value && (
        <p class="slot-trouble" role="alert">
          <Icon name="failed" />
          {trouble.value}
        </p>
      )}
    </>
  );
}
