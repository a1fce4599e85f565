import { useSignal } from "@preact/signals";
import { Button, Icon, State } from "../core/parts";
import type { Rpc } from "../core/rpc";
import type { Setup } from "./state";

/** No ComfyUI is known yet: what can be done about it, the way that needs nothing first. */
export function FirstRun({ setup, rpc }: { setup: Setup; rpc: Rpc }) {
  const url = useSignal("http://127.0.0.1:8188");
  const refused = useSignal("");
  const act = (op: string, args: Record<string, unknown> = {}): void => {
    refused.value = "";
    rpc.call(op, args).catch((error: Error) => (refused.value = error.message));
  };
  const busy = setup.busy !== "";
  const trouble = refused.value || setup.refused;
  return (
    <div class="scroll">
      <div class="first">
        <h3>Choose a ComfyUI</h3>
        <p>The values of its workflows become controls here. Any workflow works, exported for the API or as drawn.</p>
        <ul class="plain offers">
          <li>
            <Icon name="image" />
            <div>
              <b>Simulated ComfyUI</b>
              <small>No GPU and no download: draws landscapes instead of what you ask for, with the same values.</small>
            </div>
            <Button look="primary" disabled={busy} onClick={() => act("simulate")}>
              {setup.busy === "simulate" ? "Starting…" : "Try it"}
            </Button>
          </li>
          <li>
            <Icon name="online" />
            <form
              class="address"
              onSubmit={(event) => {
                event.preventDefault();
                act("connect", { url: url.peek().trim() });
              }}
            >
              <label for="comfy-url">
                <b>Your ComfyUI</b>
              </label>
              <div class="row">
                <input
                  id="comfy-url"
                  class={`field${trouble ? " bad" : ""}`}
                  inputMode="url"
                  autocomplete="off"
                  aria-invalid={trouble ? "true" : undefined}
                  aria-describedby={trouble ? "comfy-trouble" : undefined}
                  value={url.value}
                  onInput={(event) => (url.value = event.currentTarget.value)}
                />
                <Button type="submit" disabled={busy || url.value.trim() === ""}>
                  {setup.busy === "connect" ? "Connecting…" : "Connect"}
                </Button>
              </div>
              {trouble && (
                <div class="note bad" role="alert" id="comfy-trouble">
                  <Icon name="failed" />
                  <span>{trouble}</span>
                </div>
              )}
            </form>
          </li>
          <li>
            <Icon name="offline" />
            <div>
              <b>A profile that was made elsewhere</b>
              <small>In the Profiles pane, or with wb.profiles.create.</small>
            </div>
            <Button icon="retry" disabled={busy} onClick={() => act("look")}>
              {setup.busy === "look" ? "Looking…" : "Look again"}
            </Button>
          </li>
        </ul>
      </div>
    </div>
  );
}

const LINES = [
  [48, 90],
  [60, 64],
  [40, 78],
  [66, 52],
] as const;

export const Loading = () => (
  <div class="loading scroll" role="status">
    <div class="group">
      {LINES.map(([label, control]) => (
        <div class="param" key={label}>
          <i class="dot" />
          <span class="skeleton" style={{ width: `${label}px` }} />
          <span class="skeleton two" style={{ width: `${control}%` }} />
        </div>
      ))}
      <p class="small quiet-text awaited">
        <State kind="running">Asking ComfyUI which values each node takes</State>
      </p>
    </div>
  </div>
);

export function Failed({ message, rpc, busy }: { message: string; rpc: Rpc; busy: boolean }) {
  return (
    <div class="first">
      <h3>No workflow to show</h3>
      <p role="alert">{message}</p>
      <Button icon="retry" disabled={busy} onClick={() => void rpc.call("look")}>
        Look again
      </Button>
    </div>
  );
}
