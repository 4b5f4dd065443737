// Small choices that a browser keeps.

const PREFIX = "ecgstream.";

/** What was kept under a name; `fallback` where there is nothing, or the browser keeps nothing. */
export function kept(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Then it lasts as long as the page.
  }
}
