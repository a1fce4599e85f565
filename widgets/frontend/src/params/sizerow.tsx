import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Icon } from "../core/parts";
import { NumberBox } from "./number";
import { asNumber } from "./ranges";
import { Row } from "./row";
import { kept, nearest, shapeOf, SHAPES, sizeFor, type Size } from "./sizes";
import type { FieldRow, ParamsState } from "./state";

/** Latents have an eighth of the size: ComfyUI would cut other sizes down without a word. */
const MULTIPLE = 8;
const ICON_PX = 22;

export function SizeRows({ state, width, height }: { state: ParamsState; width: FieldRow; height: FieldRow }) {
  const locked = useSignal(true);
  const ratio = useRef(1);
  const multiple = Math.max(MULTIPLE, width.step ?? 1, height.step ?? 1);
  const size = sizeOf(state.value(width.key), state.value(height.key));
  const put = (next: Size): void => state.edit({ [width.key]: next.width, [height.key]: next.height }, true);
  const side = (field: FieldRow, other: FieldRow, turn: (ratio: number) => number) => (value: number) => {
    const [most, otherMost] = [asNumber(field.max) ?? Infinity, asNumber(other.max) ?? Infinity];
    const within = value >= (asNumber(field.min) ?? 0) && value <= most;
    if (!within) return state.edit({ [field.key]: value }, true); // the kernel says what would fit
    const next = nearest(value, multiple);
    state.edit({ [field.key]: next, ...(locked.peek() ? { [other.key]: kept(next, turn(ratio.current), multiple, otherMost) } : {}) }, true);
  };
  const remember = (): void => {
    if (size) ratio.current = size.width / size.height;
  };
  return (
    <>
      <Row state={state} fields={[width, height]} label="Shape" top grouped silent>
        <Shapes size={size} area={areaFor(size, width, height)} multiple={multiple} put={put} />
      </Row>
      <Row state={state} fields={[width, height]} label="Pixels" grouped fixed>
        <div class="wh">
          <NumberBox state={state} field={width} label="Width" step={multiple} onFocus={remember} finish={side(width, height, (one) => 1 / one)} />
          <span class="quiet-text">×</span>
          <NumberBox state={state} field={height} label="Height" step={multiple} onFocus={remember} finish={side(height, width, (one) => one)} />
          <button
            type="button"
            class={`btn icon${locked.value ? " on" : ""}`}
            aria-pressed={locked.value}
            aria-label="Keep the aspect ratio"
            title="Keep the aspect ratio"
            onClick={() => (locked.value = !locked.peek())}
          >
            <Icon name="link" />
          </button>
          {size && (
            <span class="tiny quiet-text nowrap">
              {((size.width * size.height) / 1e6).toFixed(2)} MP, steps of {multiple}
            </span>
          )}
        </div>
      </Row>
    </>
  );
}

function Shapes({ size, area, multiple, put }: { size: Size | null; area: number; multiple: number; put: (size: Size) => void }) {
  const current = size && shapeOf(size);
  return (
    <div class="ratios" role="group" aria-label="Shape">
      {SHAPES.map((shape) => {
        const next = sizeFor(shape, area, Math.max(16, multiple));
        const [across, down] = shape.ratio >= 1 ? [ICON_PX, ICON_PX / shape.ratio] : [ICON_PX * shape.ratio, ICON_PX];
        const scale = Math.sqrt((16 * 16) / (across * down));
        return (
          <button
            type="button"
            key={shape.name}
            class="ratio"
            aria-pressed={current === shape.name}
            title={`${next.width} × ${next.height}`}
            onClick={() => put(next)}
          >
            <i style={{ width: `${Math.round(across * scale)}px`, height: `${Math.round(down * scale)}px` }} />
            {shape.name}
          </button>
        );
      })}
    </div>
  );
}

/** The pixels that a new shape should have: those of the default, unless another size was typed. */
function areaFor(size: Size | null, width: FieldRow, height: FieldRow): number {
  const usual = sizeOf(width.default, height.default);
  const area = usual ? usual.width * usual.height : 1024 * 1024;
  if (!size) return area;
  const own = size.width * size.height;
  return Math.abs(own / area - 1) < 0.08 ? area : own;
}

function sizeOf(width: unknown, height: unknown): Size | null {
  const [across, down] = [asNumber(width), asNumber(height)];
  return across && down && across > 0 && down > 0 ? { width: across, height: down } : null;
}
