// Dark, light, or as the system is: kept in the browser.

const ORDER = ["system", "dark", "light"];
const KEPT = "ecgstream.theme";

/** Tells "change" when colours have to be read anew. */
export const themes = new EventTarget();

/** The chosen theme: "system", "dark" or "light". */
export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** Choose the next one. */
export function nextTheme() {
  const next = ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length];
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEPT, next);
  } catch {
    // Then it lasts as long as the page.
  }
  themes.dispatchEvent(new Event("change"));
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themes.dispatchEvent(new Event("change")));

const probe = document.createElement("i");

/** The colours behind names of custom properties, as a canvas takes them: `colours("trace")` of `--trace`. */
export function colours(...names) {
  probe.hidden = true;
  document.body.append(probe);
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
