import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Bar, Button, Icon } from "../core/parts";
import { idOf, Row } from "./row";
import type { FieldRow, ParamsState } from "./state";

/** An input image: chosen, dropped or pasted; ComfyUI gets a copy. */
export function ImageRow({ state, field }: { state: ParamsState; field: FieldRow }) {
  const picker = useRef<HTMLInputElement>(null);
  const share = useSignal<number | null>(null);
  const trouble = useSignal("");
  const over = useSignal(false);
  const name = String(state.value(field.key) ?? "");
  const url = usePreview(state, field, name);
  const send = async (file: File | undefined | null): Promise<void> => {
    if (!file || !state.rpc || share.peek() !== null) return;
    trouble.value = "";
    share.value = 0;
    try {
      const upload = await state.rpc.upload(await file.arrayBuffer(), (done) => (share.value = done));
      await state.rpc.call("image", { key: field.key, upload, filename: file.name || "pasted.png" });
    } catch (error) {
      trouble.value = (error as Error).message;
    } finally {
      share.value = null;
    }
  };
  return (
    <Row state={state} fields={[field]} top>
      <div
        class={`input-image${over.value ? " over" : ""}`}
        onDragOver={(event) => {
          event.preventDefault();
          over.value = true;
        }}
        onDragLeave={() => (over.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          over.value = false;
          void send(event.dataTransfer?.files[0]);
        }}
        onPaste={(event) => void send(event.clipboardData?.files[0])}
      >
        <span class="picture">{url ? <img src={url} alt={`Input image ${name}`} /> : <Icon name="image" />}</span>
        <div>
          <p class="cut small" title={name}>
            {name || "none yet"}
          </p>
          <Button id={idOf(field)} disabled={share.value !== null} onClick={() => picker.current?.click()}>
            Choose a picture
          </Button>
          {share.value === null ? <p class="tiny quiet-text">or drop it here, or paste it</p> : <Bar share={Math.round(share.value * 100)} label="Upload" />}
        </div>
        <input
          ref={picker}
          type="file"
          hidden
          aria-label={`File for ${field.label}`}
          accept="image/png,image/jpeg,image/webp,image/gif"
          onChange={(event) => {
            void send(event.currentTarget.files?.[0]);
            event.currentTarget.value = "";
          }}
        />
      </div>
      {trouble.value && (
        <p class="note bad" role="alert">
          <Icon name="failed" />
          <span>{trouble.value}</span>
        </p>
      )}
    </Row>
  );
}

/** The picture itself, as far as Spoon knows it: files that were in ComfyUI before are not ours to show. */
function usePreview(state: ParamsState, field: FieldRow, name: string): string {
  const url = useSignal("");
  useEffect(() => {
    let gone = false;
    void state.rpc?.call<DataView<ArrayBuffer>>("input", { key: field.key }).then(
      (bytes) => {
        if (!gone) url.value = URL.createObjectURL(new Blob([bytes]));
      },
      () => {},
    );
    return () => {
      gone = true;
      if (url.peek()) URL.revokeObjectURL(url.peek());
      url.value = "";
    };
  }, [name]);
  return url.value;
}
