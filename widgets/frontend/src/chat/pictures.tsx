import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon, IconButton } from "../core/parts";
import type { Attachment } from "../core/types";
import type { Actions } from "./actions";

/** The pictures of a question, small; a click, or Enter, shows one large. */
export function Thumbs({ attachments, at }: { attachments: Attachment[]; at: Actions }) {
  return (
    <div class="thumbs">
      {attachments.map((one) => (
        <Thumb key={one.content} one={one} at={at} />
      ))}
    </div>
  );
}

function Thumb({ one, at }: { one: Attachment; at: Actions }) {
  const url = useSignal("");
  const problem = useSignal("");
  const open = useSignal(false);
  useEffect(() => {
    at.media(one.thumbnail ?? one.content).then(
      (found) => (url.value = found),
      (error: Error) => (problem.value = error.message),
    );
  }, [one.content]);
  const name = one.filename || "picture";
  const size = one.width && one.height ? `, ${one.width} × ${one.height}` : "";
  if (!url.value) {
    return (
      <span class="thumb" title={problem.value || `${name}${size}`}>
        {problem.value && <Icon name="failed" />}
      </span>
    );
  }
  return (
    <>
      <button type="button" class="thumb" title={`${name}${size}`} aria-haspopup="dialog" onClick={() => (open.value = true)}>
        <img src={url.value} alt={`Attached: ${name}`} />
      </button>
      {open.value && <Large one={one} name={name} small={url.value} at={at} close={() => (open.value = false)} />}
    </>
  );
}

interface LargeProps {
  one: Attachment;
  name: string;
  small: string;
  at: Actions;
  close(): void;
}

/** The picture as it was sent, over everything; its thumbnail until it has come. Esc closes it and the focus goes back. */
function Large({ one, name, small, at, close }: LargeProps) {
  const box = useRef<HTMLDialogElement>(null);
  const url = useSignal("");
  const problem = useSignal("");
  useEffect(() => {
    box.current?.showModal();
    at.media(one.content).then(
      (found) => (url.value = found),
      (error: Error) => (problem.value = error.message),
    );
  }, []);
  return (
    <dialog
      ref={box}
      class="picture"
      aria-label={name}
      aria-busy={!url.value && !problem.value}
      onClose={close}
      onClick={(event) => event.target === box.current && box.current?.close()}
      onKeyDown={(event) => event.key === "Escape" && event.stopPropagation()}
    >
      <header class="head">
        <h2 class="cut">{name}</h2>
        {one.width && one.height && (
          <span class="of">
            {one.width} × {one.height}
          </span>
        )}
        <span class="grow" />
        <IconButton icon="close" name="Close" onClick={() => box.current?.close()} />
      </header>
      {problem.value && (
        <p class="state failed small" role="alert">
          <Icon name="failed" />
          {problem.value}
        </p>
      )}
      <img src={url.value || small} alt={name} width={one.width ?? undefined} height={one.height ?? undefined} />
    </dialog>
  );
}
