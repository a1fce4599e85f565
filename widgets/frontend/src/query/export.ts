import { effect } from "@preact/signals";
import type { QueryState } from "./state";

interface Facts {
  name: string;
  type: string;
  size: number;
}

/** Have the browser save each file that the kernel has made, when this view asked for one. */
export class Files {
  #asked = false;
  #seen = 0;
  readonly stop: () => void;

  constructor(private readonly state: QueryState) {
    this.stop = effect(() => {
      const { number = 0, error } = state.file.value;
      if (number === this.#seen) return;
      this.#seen = number;
      if (!this.#asked) return;
      this.#asked = false;
      if (error) state.said.value = error.message;
      else void this.#fetch().catch((failure: Error) => (state.said.value = failure.message));
    });
  }

  make(format: "csv" | "json" | "parquet"): void {
    this.#asked = true;
    this.state.said.value = "Writing the file…";
    void this.state.rpc.call("export", { format }).catch((error: Error) => (this.state.said.value = error.message));
  }

  async #fetch(): Promise<void> {
    const pieces: DataView<ArrayBuffer>[] = [];
    let got = 0;
    for (;;) {
      const { data, buffers } = await this.state.rpc.ask<Facts>("piece", { offset: got });
      const piece = buffers[0] as DataView<ArrayBuffer> | undefined;
      if (piece) pieces.push(piece);
      got += piece?.byteLength ?? 0;
      if (got >= data.size || !piece?.byteLength) {
        save(new Blob(pieces, { type: data.type }), data.name);
        this.state.said.value = `${data.name} saved`;
        return;
      }
    }
  }
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** The statement as Python asks it. */
export function asPython(statement: string, parameters: Record<string, unknown>): string {
  const text = /"""|\\|"$/.test(statement) ? JSON.stringify(statement) : `"""${statement}"""`;
  const names = Object.entries(parameters).map(([name, value]) => `, ${name}=${python(value)}`);
  return `query = Query(wb, ${text})\nresult = query.run(${names.join("").slice(2)}).result()\nresult.df()`;
}

function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  return Array.isArray(value) ? `[${value.map(python).join(", ")}]` : JSON.stringify(value);
}
