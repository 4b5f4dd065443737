// Keyboard shortcuts: single keys, and pairs such as "g w". Quiet while somebody types, and where they are turned off.

import { keep, kept } from "./kept.js";

const PAIR_MS = 1000;
// What a slider takes.
const MOVES = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"]);

export class Keys {
  #shortcuts = new Map();
  #ofView = [];
  #inView = false;
  #first = null;
  #at = 0;
  #active = kept("shortcuts", true);

  constructor() {
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Whether they work: who speaks to the page instead of typing can turn them off. */
  get active() {
    return this.#active;
  }

  set active(is) {
    this.#active = is;
    keep("shortcuts", is);
  }

  /** Call `act` on a key. What a view sets ends with the view. Returns what takes it back. */
  on(key, meaning, act) {
    this.#shortcuts.set(key, { meaning, act });
    const take = () => this.#shortcuts.delete(key);
    if (this.#inView) this.#ofView.push(take);
    return take;
  }

  /** The view is left: its shortcuts end, and those told from now on are the next one's. */
  leave() {
    for (const take of this.#ofView) take();
    this.#ofView = [];
    this.#inView = true;
  }

  /** What there is: `[key, meaning]`. */
  list() {
    return [...this.#shortcuts].map(([key, { meaning }]) => [key, meaning]);
  }

  #pressed(event) {
    if (!this.#active || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (takes(event.target, event.key) || document.querySelector("dialog[open]")) return;
    const now = performance.now();
    const pair = this.#first !== null && now - this.#at < PAIR_MS ? `${this.#first} ${event.key}` : null;
    const found = (pair && this.#shortcuts.get(pair)) || this.#shortcuts.get(event.key);
    this.#first = pair ? null : event.key;
    this.#at = now;
    if (!found) return;
    event.preventDefault();
    found.act(event);
  }
}

/** Whether what has the focus wants the key itself. */
function takes(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || (MOVES.has(key) && target.closest("[data-own-keys]"))) return true;
  if (key === " " || key === "Enter") return target.matches("button, a[href], summary, input, select, textarea");
  return target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button])");
}
