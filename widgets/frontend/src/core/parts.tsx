import type { ButtonHTMLAttributes, ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { copyText } from "./clipboard";
import { ICONS, type IconName } from "./icons";
import type { Rpc } from "./rpc";

export function Icon({ name }: { name: IconName }) {
  return <svg class="i" viewBox="0 0 16 16" aria-hidden="true" dangerouslySetInnerHTML={{ __html: ICONS[name] }} />;
}

type ButtonProps = ButtonHTMLAttributes & { icon?: IconName; look?: string; children?: ComponentChildren };

/** A button with words, and perhaps an icon before them. */
export function Button({ icon, look = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} class={`btn ${look}`}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button that is an icon alone; its name is spoken and shown on hover. */
export function IconButton({ icon, name, ...rest }: ButtonHTMLAttributes & { icon: IconName; name: string }) {
  return (
    <button type="button" {...rest} class="btn icon" aria-label={name} title={name}>
      <Icon name={icon} />
    </button>
  );
}

/** A state is a glyph and words; only the glyph takes colour. */
export function State({ kind, children }: { kind: IconName; children?: ComponentChildren }) {
  return (
    <span class={`state ${kind}`}>
      <Icon name={kind} />
      {children}
    </span>
  );
}

export function CopyButton({ text, label = "Copy", look = "plain" }: { text: () => string; label?: string; look?: string }) {
  const copied = useSignal(false);
  const copy = async (): Promise<void> => {
    copied.value = await copyText(text());
    setTimeout(() => (copied.value = false), 1500);
  };
  return (
    <Button icon={copied.value ? "done" : "copy"} look={look} onClick={() => void copy()}>
      {copied.value ? "Copied" : label}
    </Button>
  );
}

/** A bar of a share in percent; without a share it is only a track. */
export function Bar({ share, label }: { share: number; label: string }) {
  return (
    <span class="bar" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={share} style={`--p:${share}`}>
      <i />
    </span>
  );
}

/** What the pane says when the kernel stays silent: amber after a second, red after five. */
export function LinkBanner({ rpc, children }: { rpc: Rpc; children?: ComponentChildren }) {
  if (rpc.link.value === "lost")
    return (
      <div class="banner danger" role="alert">
        <Icon name="offline" />
        <span class="text">
          <b>Not connected.</b> The kernel was restarted, or another cell keeps it busy. Run the cell again to go on.
        </span>
        {children}
      </div>
    );
  if (rpc.link.value === "waiting")
    return (
      <div class="banner warn" role="status">
        <Icon name="warn" />
        <span class="text">
          <b>Waiting for the kernel, {rpc.waitedSeconds.value} s.</b> If another cell is running, interrupt it with the ■ button above.
        </span>
      </div>
    );
  return null;
}
