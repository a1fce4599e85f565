/** Shapes of pictures, and sizes that keep a shape. */
export interface Size {
  width: number;
  height: number;
}

export const SHAPES = [
  { name: "1:1", ratio: 1 },
  { name: "3:2", ratio: 3 / 2 },
  { name: "2:3", ratio: 2 / 3 },
  { name: "16:9", ratio: 16 / 9 },
  { name: "9:16", ratio: 9 / 16 },
  { name: "4:3", ratio: 4 / 3 },
] as const;

/** Sizes that SDXL was trained on (its paper, appendix I), at about 1 megapixel: models like them best. */
const TRAINED: Record<string, Size> = {
  "3:2": { width: 1216, height: 832 },
  "16:9": { width: 1344, height: 768 },
  "4:3": { width: 1152, height: 896 },
};
const MEGAPIXEL = 1024 * 1024;
/** The trained sizes are off their shapes by up to this share. */
const NEAR = 0.04;

/** The size of a shape with about so many pixels, in multiples of 16 (which every model takes) or of `multiple`. */
export function sizeFor(shape: { name: string; ratio: number }, area: number, multiple = 16): Size {
  const turned = shape.ratio < 1 ? shape.name.split(":").reverse().join(":") : shape.name;
  const trained = Math.abs(area / MEGAPIXEL - 1) < 0.05 ? TRAINED[turned] : undefined;
  if (trained && trained.width % multiple === 0 && trained.height % multiple === 0)
    return shape.ratio < 1 ? { width: trained.height, height: trained.width } : trained;
  let best: Size = { width: multiple, height: multiple };
  let least = Infinity;
  const middle = Math.sqrt(area * shape.ratio) / multiple;
  for (let across = Math.max(1, Math.floor(middle) - 2); across <= middle + 3; across++) {
    const width = across * multiple;
    const height = nearest(width / shape.ratio, multiple);
    const off = 2 * Math.abs(Math.log(width / height / shape.ratio)) + Math.abs(Math.log((width * height) / area));
    if (off < least) [best, least] = [{ width, height }, off];
  }
  return best;
}

/** The shape that a size has, or null. */
export function shapeOf({ width, height }: Size): string | null {
  return SHAPES.find(({ ratio }) => Math.abs(width / height / ratio - 1) < NEAR)?.name ?? null;
}

/** The other side for a new one, so that the ratio stays. */
export function kept(side: number, ratio: number, multiple: number, max: number): number {
  return Math.min(max, nearest(side * ratio, multiple));
}

export function nearest(value: number, multiple: number): number {
  return Math.max(multiple, Math.round(value / multiple) * multiple);
}
