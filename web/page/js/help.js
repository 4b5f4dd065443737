// The dialog that lists the keyboard shortcuts.

import { h } from "./dom.js";
import { icon } from "./icons.js";

const NAMES = { ArrowLeft: "←", ArrowRight: "→", " ": "Space" };

/** Show it; Escape or the button closes it, and the focus goes back. */
export function help(keys) {
  const rows = keys.list().map(([key, meaning]) => {
    const caps = key === " " ? [h("kbd", {}, "Space")] : key.split(" ").map((each) => h("kbd", {}, NAMES[each] ?? each));
    return h("div", {}, h("dt", {}, caps), h("dd", {}, meaning));
  });
  const close = h("button", { class: "tool", type: "button", "aria-label": "Close" }, icon("close"));
  const active = h("input", { type: "checkbox", checked: keys.active });
  active.addEventListener("change", () => (keys.active = active.checked));
  const dialog = h(
    "dialog",
    { class: "dialog", "aria-labelledby": "help-title" },
    h("header", {}, h("h2", { id: "help-title" }, "Keyboard shortcuts"), close),
    h("dl", { class: "shortcuts" }, rows),
    h("label", { class: "check" }, active, "Single keys do something"),
    h(
      "p",
      { class: "quiet" },
      "ecgstream watches recordings for research and teaching. It is not a medical device: it must not be what a patient's life depends on.",
    ),
  );
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
