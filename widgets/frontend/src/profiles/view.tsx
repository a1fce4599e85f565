import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Button, Icon, LinkBanner } from "../core/parts";
import type { Rpc } from "../core/rpc";
import { ProfileForm } from "./form";
import { Offers } from "./offers";
import { ProfileRow } from "./row";
import type { Book } from "./state";

/** What the form is open for: "" is a new profile, else a profile's id. */
type Open = string | null;

export function ProfilesView({ book, rpc, height }: { book: Book; rpc: Rpc; height: number }) {
  const open = useSignal<Open>(null);
  const trouble = useSignal("");
  const pane = useRef<HTMLElement>(null);
  const entries = book.entries.value;
  const answering = entries.filter(({ state }) => state === "ok").length;
  useSignalEffect(() => rpc.watch(!!book.offers.value.pull || book.entries.value.some(({ state }) => state === "testing")));
  const close = (saved?: string): void => {
    const from = saved ?? open.peek();
    open.value = null;
    queueMicrotask(() => {
      const row = [...(pane.current?.querySelectorAll<HTMLElement>(".entry") ?? [])][entries.findIndex(({ id }) => id === from)];
      (row?.querySelector<HTMLElement>("button") ?? pane.current?.querySelector<HTMLElement>("[data-add]"))?.focus();
    });
  };
  const testAll = (): void => {
    trouble.value = "";
    rpc.call("test_all").catch((error: Error) => (trouble.value = error.message));
  };
  const editing = open.value ? entries.find(({ id }) => id === open.value) : undefined;
  return (
    <section class="pane" aria-label="Profiles" style={{ height: `${height}px` }} ref={pane}>
      <header class="head">
        <h2>Profiles</h2>
        <span class="of">{book.looked.value ? summary(answering, entries.length) : ""}</span>
        <span class="grow" />
        <Button icon="retry" look="plain" disabled={entries.length === 0 || open.value !== null} onClick={testAll}>
          Test all
        </Button>
        <Button icon="plus" look="plain" data-add="" disabled={open.value !== null || book.providers.value.length === 0} onClick={() => (open.value = "")}>
          Add a profile
        </Button>
      </header>
      <LinkBanner rpc={rpc} />
      {(book.failure.value || trouble.value) && (
        <div class="banner danger" role="alert">
          <Icon name="failed" />
          <span class="text">{book.failure.value || trouble.value}</span>
          <Button icon="retry" look="plain" onClick={() => void rpc.call("look").catch(() => {})}>
            Try again
          </Button>
        </div>
      )}
      {open.value !== null ? (
        <ProfileForm key={open.value} providers={book.providers.value} entry={editing} rpc={rpc} close={close} />
      ) : (
        <Listed book={book} rpc={rpc} edit={(id) => (open.value = id)} add={() => (open.value = "")} />
      )}
      <footer class="ledger">
        <span>Keys are stored encrypted, never in the notebook.</span>
      </footer>
    </section>
  );
}

function Listed({ book, rpc, edit, add }: { book: Book; rpc: Rpc; edit: (id: string) => void; add: () => void }) {
  if (!book.looked.value)
    return (
      <div class="wait">
        <i class="skeleton" style="width:40%" />
        <i class="skeleton" style="width:62%" />
        <i class="skeleton" style="width:51%" />
        <p class="sr" role="status">
          Reading the profiles
        </p>
      </div>
    );
  const entries = book.entries.value;
  const none = !entries.some(({ kind }) => kind !== "machine");
  return (
    <div class="scroll rows" tabindex={0} role="group" aria-label="List of profiles">
      {entries.length > 0 && (
        <ul class="plain entries">
          {entries.map((entry) => (
            <ProfileRow key={entry.id} entry={entry} rpc={rpc} edit={() => edit(entry.id)} />
          ))}
        </ul>
      )}
      {none && (
        <div class="first">
          <h3>Two ways to start, no key needed</h3>
          <p>Both run on this machine. Add your own servers and keys whenever you like.</p>
          <Offers offers={book.offers.value} rpc={rpc} first={{ label: "Start it", op: "simulate" }} add={add} />
        </div>
      )}
    </div>
  );
}

function summary(answering: number, all: number): string {
  return all === 0 ? "none yet" : `${answering} of ${all} answer${answering === 1 ? "s" : ""}`;
}
