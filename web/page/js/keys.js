// Keyboard shortcuts: single keys, and pairs such as "g w". Quiet while somebody types.

const PAIR_MS = 1000;

export class Keys {
  #shortcuts = new Map();
  #ofView = [];
  #inView = false;
  #first = null;
  #at = 0;

  constructor() {
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  /** Call `act` on a key; returns what takes it back. A view's shortcuts end with the view. */
  on(key, words, act) {
    this.#shortcuts.set(key, { words, act });
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

  /** What there is: `[key, words]`. */
  list() {
    return [...this.#shortcuts].map(([key, { words }]) => [key, words]);
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
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

function typing(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest("[data-own-keys]")) return true;
  return target.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button])");
}
