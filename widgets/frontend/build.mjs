// Bundles every pane into ../spoonwidgets/static. `--watch` keeps rebuilding (with ANYWIDGET_HMR=1 an open notebook follows).
import { readFile } from "node:fs/promises";
import * as esbuild from "esbuild";

const watch = process.argv.includes("--watch");

/** Style sheets become minified strings: they go into a shadow root, not into the page. */
const styles = {
  name: "styles",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const { code } = await esbuild.transform(source, { loader: "css", minify: !watch, target: "es2022" });
      return { contents: code, loader: "text" };
    });
  },
};

const options = {
  entryPoints: ["src/chat.tsx", "src/tasks.tsx"],
  outdir: "../spoonwidgets/static",
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
else await esbuild.build(options);
