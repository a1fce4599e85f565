import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { copyText } from "../core/clipboard";
import { Button, Icon, IconButton } from "../core/parts";
import type { Rpc } from "../core/rpc";
import type { ParamsState } from "./state";

/** Named sets of values: they are kept with the workflow, so that a team shares them. */
export function Presets({ state, rpc, disabled }: { state: ParamsState; rpc: Rpc; disabled: boolean }) {
  const open = useSignal(false);
  const name = useSignal("");
  const trouble = useSignal("");
  const copied = useSignal(false);
  const button = useRef<HTMLSpanElement>(null);
  const panel = useRef<HTMLDivElement>(null);
  const { presets = [], workflow } = state.setup.value ?? {};
  const { preset, changed } = state.kernel.value;
  const close = (focus = true): void => {
    open.value = false;
    if (focus) button.current?.querySelector("button")?.focus();
  };
  const act = async (action: string, which = ""): Promise<void> => {
    trouble.value = "";
    try {
      await state.flush();
      await rpc.call("preset", { action, name: which });
      name.value = "";
      if (action !== "delete") close();
    } catch (error) {
      trouble.value = (error as Error).message;
    }
  };
  const copy = async (): Promise<void> => {
    copied.value = await copyText(await rpc.call<string>("python"));
    setTimeout(() => (copied.value = false), 1500);
  };
  useLayoutEffect(() => {
    if (!open.value || !panel.current || !button.current) return;
    const { right, bottom } = button.current.getBoundingClientRect();
    Object.assign(panel.current.style, { left: `${Math.max(8, right - 268)}px`, top: `${bottom + 2}px` });
    panel.current.showPopover?.();
    panel.current.querySelector<HTMLElement>("button, input")?.focus();
    const away = (event: Event): void => {
      const inside = event.composedPath().some((one) => one === panel.current || one === button.current);
      if (!inside) close(false);
    };
    addEventListener("pointerdown", away);
    addEventListener("scroll", away, { capture: true, passive: true });
    return () => {
      removeEventListener("pointerdown", away);
      removeEventListener("scroll", away, { capture: true });
    };
  }, [open.value]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
    const way = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (way === 0 || !panel.current) return;
    event.preventDefault();
    const stops = [...panel.current.querySelectorAll<HTMLElement>("button, input")];
    const here = stops.indexOf((panel.current.getRootNode() as ShadowRoot).activeElement as HTMLElement);
    stops[(here + way + stops.length) % stops.length]?.focus();
  };
  return (
    <>
      <span ref={button}>
        <Button look="plain" aria-expanded={open.value} aria-haspopup="dialog" disabled={disabled} onClick={() => (open.value ? close() : (open.value = true))}>
          Presets
          <Icon name="down" />
        </Button>
      </span>
      {open.value && (
        <div ref={panel} class="menu presets" role="dialog" aria-label="Presets" popover="manual" onKeyDown={onKeyDown}>
          <div class="title">Presets of {workflow?.name}</div>
          {presets.map((one) => (
            <div class="pair" key={one}>
              <button type="button" class={`item${one === preset ? " at" : ""}`} onClick={() => void act("apply", one)}>
                {one === preset ? <Icon name="done" /> : <i />}
                <span class="cut">{one}</span>
              </button>
              <IconButton icon="trash" name={`Delete preset ${one}`} onClick={() => void act("delete", one)} />
            </div>
          ))}
          <button
            type="button"
            class={`item${changed.length === 0 ? " at" : ""}`}
            onClick={() => {
              void rpc.call("reset");
              close();
            }}
          >
            {changed.length === 0 ? <Icon name="done" /> : <i />}
            Workflow default
          </button>
          <hr />
          <form
            class="save"
            onSubmit={(event) => {
              event.preventDefault();
              void act("save", name.peek());
            }}
          >
            <input class="field" aria-label="Name of the preset" placeholder="Name of a preset" maxLength={80} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
            <Button type="submit" disabled={name.value.trim() === ""}>
              {presets.includes(name.value.trim()) ? "Replace" : "Save"}
            </Button>
          </form>
          {trouble.value && (
            <p class="note bad" role="alert">
              {trouble.value}
            </p>
          )}
          <hr />
          <button type="button" class="item" onClick={() => void act("default")}>
            <Icon name="reuse" />
            Make these the workflow default
          </button>
          <button type="button" class="item" onClick={() => void copy()}>
            <Icon name={copied.value ? "done" : "python"} />
            {copied.value ? "Copied" : "Copy as Python"}
          </button>
        </div>
      )}
    </>
  );
}
