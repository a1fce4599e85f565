import { signal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";

const LARGEST = 16;
const STEP = 1.25;

/** How a picture lies in its box: 1 fits it in, more is larger; `x` and `y` are pixels from the middle. */
export class ViewPoint {
  readonly zoom = signal(1);
  readonly x = signal(0);
  readonly y = signal(0);
  /** Pixels of the file for each pixel on the screen when it fits: zooming by this shows it at 100 %. */
  readonly whole = signal(1);
  /** The other half of a comparison, which moves along. */
  twin: ViewPoint | null = null;

  fit(): void {
    this.set(1, 0, 0);
  }

  actual(): void {
    this.set(this.whole.peek() > 1 ? this.whole.peek() : 1, 0, 0);
  }

  step(direction: 1 | -1): void {
    this.by(direction > 0 ? STEP : 1 / STEP, 0, 0);
  }

  /** Zoom by a factor about a point, in pixels from the middle. */
  by(factor: number, px: number, py: number): void {
    const before = this.zoom.peek();
    const zoom = Math.min(LARGEST, Math.max(1, before * factor));
    const real = zoom / before;
    this.set(zoom, px - (px - this.x.peek()) * real, py - (py - this.y.peek()) * real);
  }

  pan(dx: number, dy: number): void {
    this.set(this.zoom.peek(), this.x.peek() + dx, this.y.peek() + dy);
  }

  set(zoom: number, x: number, y: number): void {
    this.take(zoom, x, y);
    this.twin?.take(zoom, x, y);
  }

  /** A key of the dialog. Says whether it was one. */
  key(key: string): boolean {
    if (key === "+" || key === "=") this.step(1);
    else if (key === "-") this.step(-1);
    else if (key === "0") this.fit();
    else return false;
    return true;
  }

  take(zoom: number, x: number, y: number): void {
    this.zoom.value = zoom;
    this.x.value = zoom === 1 ? 0 : x;
    this.y.value = zoom === 1 ? 0 : y;
  }
}

interface Props {
  view: ViewPoint;
  children: ComponentChildren;
  /** Whether a pointer that goes down here is somebody else's. */
  takes?: (event: PointerEvent, box: DOMRect) => boolean;
}

/** A box whose pictures (`.layer > *`) zoom with the wheel and move with the pointer. */
export function ZoomBox({ view, children, takes }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const { left, top, width, height } = box.current!.getBoundingClientRect();
    view.by(Math.exp(-event.deltaY / 300), event.clientX - left - width / 2, event.clientY - top - height / 2);
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0 || takes?.(event, box.current!.getBoundingClientRect()) || view.zoom.peek() === 1) return;
    follow(event, (dx, dy) => view.pan(dx, dy));
  };
  useSignalEffect(() => {
    const { style } = box.current!;
    style.setProperty("--move", `translate(${view.x.value}px, ${view.y.value}px) scale(${view.zoom.value})`);
    style.cursor = view.zoom.value > 1 ? "grab" : "";
  });
  useMeasured(box, view);
  return (
    <div class="full" ref={box} onWheel={wheel} onPointerDown={down} onDblClick={() => (view.zoom.peek() > 1 ? view.fit() : view.actual())}>
      {children}
    </div>
  );
}

function useMeasured(box: RefObject<HTMLDivElement | null>, view: ViewPoint): void {
  useLayoutEffect(() => {
    const measure = (): void => {
      const picture = box.current!.querySelector("img");
      if (picture?.naturalWidth && picture.clientWidth) view.whole.value = picture.naturalWidth / drawnWidth(picture);
    };
    const watcher = new ResizeObserver(measure);
    watcher.observe(box.current!);
    box.current!.addEventListener("load", measure, true);
    return () => watcher.disconnect();
  }, []);
}

/** How wide the picture itself is in an element that it fills in one direction only (`object-fit: contain`). */
function drawnWidth({ naturalWidth, naturalHeight, clientWidth, clientHeight }: HTMLImageElement): number {
  return Math.min(clientWidth, (clientHeight * naturalWidth) / naturalHeight, naturalWidth);
}

/** Hear of every move of a pointer until it is let go. */
export function follow(event: PointerEvent, move: (dx: number, dy: number, event: PointerEvent) => void): void {
  event.preventDefault();
  const target = event.currentTarget as HTMLElement;
  target.setPointerCapture(event.pointerId);
  const onMove = (moved: PointerEvent): void => move(moved.movementX, moved.movementY, moved);
  const end = (): void => {
    target.removeEventListener("pointermove", onMove);
    target.removeEventListener("pointerup", end);
    target.removeEventListener("pointercancel", end);
  };
  target.addEventListener("pointermove", onMove);
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
}
