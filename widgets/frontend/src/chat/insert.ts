/**
 * A new cell below the one that holds `el`, in JupyterLab: its widget manager knows the notebook. There is no portable
 * way: the kernel's `set_next_input` works for a cell that is being run, not for a click. Says whether it was done.
 */
export function insertBelow(manager: unknown, el: HTMLElement, source: string): boolean {
  const model = (manager as LabManager | undefined)?.context?.model?.sharedModel;
  const cell = el.closest<HTMLElement>(".jp-Cell");
  if (!model?.insertCell || !cell) return false;
  const index = Number(cell.dataset.windowedListIndex ?? [...(cell.parentElement?.querySelectorAll(":scope > .jp-Cell") ?? [])].indexOf(cell));
  if (!(index >= 0)) return false;
  model.insertCell(index + 1, { cell_type: "code", source, metadata: {} });
  return true;
}

/** The part of jupyterlab-manager's `WidgetManager` and of JupyterLab's shared notebook model that is used here. */
interface LabManager {
  context?: { model?: { sharedModel?: { insertCell?(index: number, cell: object): unknown } } };
}
