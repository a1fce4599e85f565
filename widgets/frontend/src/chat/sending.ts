import { signal } from "@preact/signals";

const PLACE = "spoon.chat.sends";

/** Which key sends a message: Enter, or Shift Enter. A setting of who sits at this browser, for all its chat panes. */
export class SendingKey {
  readonly isEnter = signal(true);

  constructor() {
    this.look();
  }

  /** Take over what was chosen in another pane. */
  look(): void {
    try {
      this.isEnter.value = localStorage.getItem(PLACE) !== "Shift Enter";
    } catch {
      // no storage here (VS Code, a sandbox): it holds for this pane
    }
  }

  swap(): void {
    this.isEnter.value = !this.isEnter.peek();
    try {
      localStorage.setItem(PLACE, this.isEnter.peek() ? "Enter" : "Shift Enter");
    } catch {
      // as above
    }
  }

  /** Whether this key press sends. An Enter that ends composing (Chinese, Japanese) does not. */
  isIn(event: { key: string; shiftKey: boolean; isComposing: boolean }): boolean {
    return event.key === "Enter" && !event.isComposing && event.shiftKey !== this.isEnter.peek();
  }

  get sends(): string {
    return this.isEnter.value ? "Enter" : "Shift Enter";
  }

  get breaks(): string {
    return this.isEnter.value ? "Shift Enter" : "Enter";
  }
}
