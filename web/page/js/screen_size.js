// How large a millimetre is on this screen: measured with a bank card, kept in the browser.

import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { keep, kept } from "./kept.js";
import { PX_PER_MM } from "./scale.js";

const CARD_MM = { width: 85.6, height: 53.98 }; // ISO/IEC 7810 ID-1
const LEAST = 2;
const MOST = 9;

/** px of CSS in a millimetre of this screen. */
export function pxPerMm() {
  const value = kept("px_per_mm", PX_PER_MM);
  return typeof value === "number" && value >= LEAST && value <= MOST ? value : PX_PER_MM;
}

/** Let somebody measure; `changed` is called with what they found. */
export function measureScreen(changed) {
  let value = pxPerMm();
  const card = h("div", { class: "card-outline" }, h("span", {}, "85.6 mm"));
  const slider = h("input", { type: "range", id: "screen-size", min: LEAST, max: MOST, step: 0.01, value });
  const output = h("output", { class: "number", for: "screen-size" });
  const close = h("button", { class: "tool", type: "button", "aria-label": "Close" }, icon("close"));
  const done = h("button", { class: "button button-main", type: "button" }, "Keep");
  const usual = h("button", { class: "button", type: "button" }, "As the browser has it");
  const dialog = h(
    "dialog",
    { class: "dialog screen-size", "aria-labelledby": "screen-title" },
    h("header", {}, h("h2", { id: "screen-title" }, "True size on this screen"), close),
    h("p", {}, "Hold a bank card to the screen and move the slider until the outline is as large as the card. Then 25 mm are 25 mm."),
    card,
    h("label", { for: "screen-size" }, "Size ", output),
    slider,
    h("p", { class: "row" }, done, usual),
  );
  const show = () => {
    card.style.width = `${CARD_MM.width * value}px`;
    card.style.height = `${CARD_MM.height * value}px`;
    replace(output, `${value.toFixed(2)} px/mm`);
    slider.setAttribute("aria-valuetext", `${value.toFixed(2)} pixels in a millimetre`);
  };
  slider.addEventListener("input", () => {
    value = Number(slider.value);
    show();
  });
  usual.addEventListener("click", () => {
    value = PX_PER_MM;
    slider.value = String(value);
    show();
  });
  done.addEventListener("click", () => {
    keep("px_per_mm", value);
    changed(value);
    dialog.close();
  });
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  show();
  document.body.append(dialog);
  dialog.showModal();
}
