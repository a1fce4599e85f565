import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isNumber, isTime } from "./cells";
import { numberLabel, ownTicks, place, ticks, timeLabel, timeTicks } from "./scale";
import type { ChartWish, Drawing, QueryState } from "./state";

const HOW = { count: "number of rows", mean: "mean", median: "median", sum: "sum", min: "smallest", max: "largest" };
const LEFT = 56;
const RIGHT = 16;
const TOP = 28;
const BOTTOM = 40;
const LABEL_PX = 96;
const MOST_NAMES = 60;

/** Columns of the result as bars, lines or points. SQL puts the rows together, so all rows count, not those in view. */
export function ChartPane({ state }: { state: QueryState }) {
  const { fields = [], types = [], number } = state.run.value;
  const wish = complete(state.chart.value, fields, types);
  const numbers = fields.filter((_, column) => isNumber(types[column] ?? ""));
  const set = (part: Partial<ChartWish>): void => state.draw(complete({ ...wish, ...part }, fields, types));
  useEffect(() => {
    if (number > 0 && !state.drawing.peek()) state.draw(complete(state.chart.peek(), fields, types));
  }, [number]);
  const drawing = state.drawing.value;
  return (
    <div class="charted">
      <div class="pick">
        <Choice name="Draw" value={wish.draw} options={{ bar: "bars", line: "line", scatter: "points" }} choose={(draw) => set({ draw: draw as ChartWish["draw"] })} />
        <Choice name="x" value={wish.x} options={same(fields)} choose={(x) => set({ x })} />
        {wish.draw !== "scatter" && <Choice name="Value" value={wish.how} options={HOW} choose={(how) => set({ how })} />}
        {(wish.draw === "scatter" || wish.how !== "count") && <Choice name="y" value={wish.y} options={same(numbers)} choose={(y) => set({ y })} />}
        <Choice name="by" value={wish.by} options={{ "": "nothing", ...same(fields) }} choose={(by) => set({ by })} />
      </div>
      <div class="chart" role="group" aria-label="Chart">
        {drawing?.error && (
          <p class="note" role="status">
            {drawing.error}
          </p>
        )}
        {drawing && !drawing.error && <Draw drawing={drawing} />}
      </div>
    </div>
  );
}

function Choice({ name, value, options, choose }: { name: string; value: string; options: Record<string, string>; choose(value: string): void }) {
  return (
    <label>
      {name}
      <select aria-label={name} value={value} onChange={(event) => choose(event.currentTarget.value)}>
        {Object.entries(options).map(([one, words]) => (
          <option value={one} selected={one === value}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}

const same = (names: readonly string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, name]));

/** A wish in which every column is one of the result; what fits is kept. */
export function complete(wish: Partial<ChartWish>, fields: readonly string[], types: readonly string[]): ChartWish {
  const numbers = fields.filter((_, column) => isNumber(types[column] ?? ""));
  const groups = fields.filter((_, column) => types[column] === "VARCHAR" || isTime(types[column] ?? ""));
  const amounts = numbers.filter((name) => name !== "seed");
  const x = fields.includes(wish.x ?? "") ? wish.x! : (groups[0] ?? numbers[0] ?? fields[0] ?? "");
  const y = numbers.includes(wish.y ?? "") ? wish.y! : (amounts.find((name) => name !== x) ?? numbers[0] ?? "");
  const how = wish.how && wish.how in HOW ? wish.how : y ? "mean" : "count";
  return { draw: wish.draw ?? "bar", x, y, how, by: fields.includes(wish.by ?? "") ? wish.by! : "" };
}

function Draw({ drawing }: { drawing: Drawing }) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSignal({ width: 640, height: 260 });
  useEffect(() => {
    const watcher = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      if (width > 0) size.value = { width: Math.max(260, width), height: Math.max(160, height) };
    });
    watcher.observe(box.current!);
    return () => watcher.disconnect();
  }, []);
  const { series = [], draw = "bar", kind, x = "", y = "" } = drawing;
  const points = series.reduce((sum, one) => sum + one.points.length, 0);
  const told = series.length > 1 ? `, ${series.map(({ name }) => name || "null").join(", ")}` : "";
  const words = `${{ bar: "Bars", line: "Lines", scatter: "Points" }[draw]}: ${y} over ${x}, ${points} points${told}`;
  return (
    <>
      {series.length > 1 && (
        <ul class="legend plain">
          {series.map(({ name }, number) => (
            <li>
              <svg viewBox="0 0 18 10" class={`s${number}`} aria-hidden="true">
                {draw === "line" && <path class="ln" d="M0 5h18" />}
                <Dot x={9} y={5} number={number} />
              </svg>
              {name || "null"}
            </li>
          ))}
        </ul>
      )}
      <div ref={box} class="canvas">
        {points === 0 ? (
          <p class="note">No row has a value in both columns.</p>
        ) : (
          <svg role="img" aria-label={words} width={size.value.width} height={size.value.height}>
            <Plot drawing={drawing} {...size.value} isName={kind === "name" || draw === "bar"} />
          </svg>
        )}
      </div>
      {(!!drawing.left_out || drawing.sampled) && (
        <p class="tiny quiet-text left-out">
          {draw === "scatter" && drawing.sampled ? "A sample of the rows is drawn." : `${drawing.sampled ? "More" : `${drawing.left_out!.toLocaleString("en")} more`} are not drawn; a filter chooses among them.`}
        </p>
      )}
    </>
  );
}

function Plot({ drawing, width, height, isName }: { drawing: Drawing; width: number; height: number; isName: boolean }) {
  const { series = [], draw, kind, x: xName, y: yName } = drawing;
  const all = series.flatMap(({ points }) => points);
  const ys = all.map(([, y]) => y);
  const floor = draw === "bar" ? 0 : Math.min(...ys);
  const yTicks = ticks(Math.min(floor, ...ys), Math.max(draw === "bar" ? 0 : -Infinity, ...ys), Math.max(2, Math.floor((height - TOP - BOTTOM) / 44)));
  const [low, high] = yTicks.length > 1 ? [yTicks[0]!, yTicks.at(-1)!] : [yTicks[0]! - 1, yTicks[0]! + 1];
  const bottom = height - BOTTOM;
  const right = width - RIGHT;
  const yAt = (value: number): number => place(value, low, high, bottom, TOP);
  const names = isName ? ordered(all, kind).slice(0, MOST_NAMES) : [];
  const values = isName ? [] : all.map(([x]) => Number(x));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const band = (right - LEFT) / Math.max(1, names.length);
  const pad = Math.min(24, (right - LEFT) / 12);
  const xAt = (value: number | string): number => (isName ? LEFT + band * (names.indexOf(value) + 0.5) : place(Number(value), least, most, LEFT + pad, right - pad));
  const room = Math.floor((right - LEFT) / 90);
  const xTicks = isName ? [] : kind === "time" ? timeTicks(least, most, room) : (ownTicks(values, 2 * room) ?? ticks(least, most, room).filter((one) => one >= least && one <= most));
  const every = Math.max(1, Math.ceil(48 / band));
  const letters = Math.max(3, Math.floor((band * every - 4) / 6.2));
  const label = (name: number | string): string => (typeof name === "string" ? name : kind === "time" ? timeLabel(name, span(names)) : numberLabel(name));
  return (
    <>
      {yTicks.map((value) => (
        <g>
          <line class={value === 0 || value === low ? "base" : "ax"} x1={LEFT} x2={right} y1={yAt(value)} y2={yAt(value)} />
          <text x={LEFT - 8} y={yAt(value) + 4} text-anchor="end">
            {numberLabel(value)}
          </text>
        </g>
      ))}
      {names.map((name, number) =>
        number % every === 0 ? (
          <text x={xAt(name)} y={bottom + 16} text-anchor="middle">
            {cut(label(name), letters)}
            <title>{label(name)}</title>
          </text>
        ) : null,
      )}
      {xTicks.map((value) => (
        <text x={xAt(value)} y={bottom + 16} text-anchor="middle">
          {kind === "time" ? timeLabel(value, most - least) : numberLabel(value)}
        </text>
      ))}
      <text x={(LEFT + right) / 2} y={height - 6} text-anchor="middle">
        {cut(xName ?? "", LABEL_PX)}
      </text>
      <text x={4} y={12}>
        {cut(yName ?? "", LABEL_PX)}
      </text>
      {series.map(({ name, points }, number) => (
        <g class={`s${number}`}>
          {draw === "bar" &&
            points
              .filter(([x]) => names.includes(x))
              .map(([x, y]) => {
                const wide = Math.min(64, (band * 0.78) / series.length);
                const left = xAt(x) - (wide * series.length) / 2 + wide * number;
                return (
                  <rect x={left} width={Math.max(1, wide - 1)} y={Math.min(yAt(y), yAt(Math.max(low, 0)))} height={Math.max(1, Math.abs(yAt(y) - yAt(Math.max(low, 0))))}>
                    <title>{`${label(x)}${name && `, ${name}`}: ${numberLabel(y)}`}</title>
                  </rect>
                );
              })}
          {draw === "line" && <path class="ln" d={`M${[...points].sort((one, other) => xAt(one[0]) - xAt(other[0])).map(([x, y]) => `${xAt(x).toFixed(1)} ${yAt(y).toFixed(1)}`).join("L")}`} />}
          {(draw === "scatter" || (draw === "line" && points.length <= 80)) &&
            points.map(([x, y]) => (
              <Dot x={xAt(x)} y={yAt(y)} number={number} small={draw === "scatter" && points.length > 200}>
                {`${kind === "time" ? new Date(Number(x)).toISOString().slice(0, 16).replace("T", " ") : x}${name && `, ${name}`}: ${numberLabel(y)}`}
              </Dot>
            ))}
        </g>
      ))}
    </>
  );
}

/** A point. Each series has its own shape, so that colour is not needed. */
function Dot({ x, y, number, small, children }: { x: number; y: number; number: number; small?: boolean; children?: string }) {
  const r = small ? 2 : 3.5;
  const title = children ? <title>{children}</title> : null;
  const shape = number % 3;
  if (shape === 1)
    return (
      <rect class="pt" x={x - r} y={y - r} width={2 * r} height={2 * r}>
        {title}
      </rect>
    );
  if (shape === 2)
    return (
      <path class="pt" d={`M${x} ${y - r - 1}l${r + 1} ${r + 1}l${-r - 1} ${r + 1}l${-r - 1} ${-r - 1}Z`}>
        {title}
      </path>
    );
  return (
    <circle class="pt" cx={x} cy={y} r={r}>
      {title}
    </circle>
  );
}

/** The names along the x axis: numbers and times in their order, names as they came (the largest first). */
function ordered(points: readonly [number | string, number][], kind: string | undefined): (number | string)[] {
  const names = [...new Set(points.map(([x]) => x))];
  return kind === "name" ? names : names.sort((one, other) => Number(one) - Number(other));
}

const span = (names: readonly (number | string)[]): number => Number(names.at(-1)) - Number(names[0]);
const cut = (text: string, most: number): string => (text.length <= most ? text : `${text.slice(0, most - 1)}…`);
