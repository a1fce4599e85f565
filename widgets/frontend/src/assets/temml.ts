/** Formulas as MathML, which the browser draws itself. Fetched when the first `$` or `\(` shows. */
import temml from "temml";

/** TeX as MathML. What cannot be read is shown as it was written; links and styles in TeX are refused. */
export function toMathML(tex: string, display: boolean): string {
  return temml.renderToString(tex, { displayMode: display, throwOnError: false, trust: false, maxExpand: 100, maxSize: [20, 20] });
}
