// Bundles every pane (src/*.tsx) and every heavy part (src/assets/*.ts) into ../spoonwidgets/static, within their budgets.
// `--watch` keeps rebuilding (with ANYWIDGET_HMR=1 an open notebook follows).
import { readdir, readFile, stat } from "node:fs/promises";
import * as esbuild from "esbuild";

const watch = process.argv.includes("--watch");
const out = "../spoonwidgets/static";
/** Bytes. Every instance of a pane carries its bundle; assets are fetched once for a page. */
const BUDGETS = { chat: 150_000, "assets/markdown": 100_000, "assets/highlight": 90_000, "assets/temml": 220_000, "assets/codemirror": 460_000, "assets/gallery": 120_000, "assets/params": 100_000, "assets/query": 110_000 };
const PANE_BUDGET = 60_000;

/** Style sheets become minified strings, their imports in them: they go into a shadow root, not into the page. */
const styles = {
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const built = await esbuild.build({ entryPoints: [path], bundle: true, minify: !watch, write: false });
      return { contents: built.outputFiles[0].text, loader: "text" };
    });
  },
};

/** The table of icons with the lines of those alone that a bundle's own files name: a bundle shows no others. */
const iconsOf = (sources) => ({
  name: "icons",
  setup(build) {
    build.onLoad({ filter: /core\/icons\.ts$/ }, async ({ path }) => {
      const others = sources.filter((source) => !path.endsWith(source));
      const text = (await Promise.all(others.map((source) => readFile(source, "utf8")))).join("\n");
      const lines = (await readFile(path, "utf8")).split("\n");
      const kept = lines.filter((line) => !/^ {2}\w+: '/.test(line) || text.includes(`"${/\w+/.exec(line)[0]}"`));
      return { contents: kept.join("\n"), loader: "ts" };
    });
  },
});

async function named(folder, ending) {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length));
}

const panes = await named("src", ".tsx");
const assets = (await named("src/assets", ".ts")).map((name) => `assets/${name}`);
const options = {
  entryPoints: [...panes.map((name) => `src/${name}.tsx`), ...assets.map((name) => `src/${name}.ts`)],
  outdir: out,
  outbase: "src",
  bundle: true,
  minify: !watch,
  sourcemap: watch ? "inline" : false,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  plugins: [styles],
};

if (watch) await (await esbuild.context(options)).watch();
else {
  const { outputs } = (await esbuild.build({ ...options, metafile: true, write: false })).metafile;
  let over = false;
  for (const name of [...panes, ...assets]) {
    const { entryPoint, inputs } = outputs[`${out}/${name}.js`];
    await esbuild.build({ ...options, entryPoints: [entryPoint], plugins: [styles, iconsOf(Object.keys(inputs).filter((path) => path.startsWith("src/")))] });
    const { size } = await stat(`${out}/${name}.js`);
    const budget = BUDGETS[name] ?? PANE_BUDGET;
    console.log(`${name}.js ${(size / 1000).toFixed(1)} kB of ${budget / 1000}`);
    over ||= size > budget;
  }
  if (over) {
    console.error("A bundle is over its budget");
    process.exit(1);
  }
}
