// The tools above a patient's paper.

import { h, mark, replace } from "./dom.js";
import { icon } from "./icons.js";
import { GAINS_MM_MV, SPEEDS_MM_S } from "./scale.js";

/** `act` has a function for each tool: pause, previous, next, live, speed, gain, filter, calipers, screen. */
export class PatientTools {
  constructor(act) {
    this.pause = tool(() => act.pause());
    const previous = tool(() => act.previous(), "previous", "Event", "Previous event (P)");
    const next = tool(() => act.next(), "next", "Event", "Next event (N)");
    next.append(next.firstElementChild); // its arrow points to the right
    this.live = tool(() => act.live(), "live", "Live", "Back to live (L)");
    this.speed = choice("Paper speed", SPEEDS_MM_S, "mm/s", act.speed);
    this.gain = choice("Gain", GAINS_MM_MV, "mm/mV", act.gain);
    const filters = [
      ["false", "As recorded"],
      ["true", "As the detector sees it"],
    ];
    this.filter = h(
      "select",
      { "aria-label": "Signal", title: "Signal (F)" },
      filters.map(([value, text]) => h("option", { value }, text)),
    );
    this.filter.addEventListener("change", () => act.filter(this.filter.value === "true"));
    this.calipers = tool(() => act.calipers(), "caliper", "Calipers", "Measure time, rate and voltage (C)");
    this.screen = tool(() => act.screen(), "ruler", "True size", "Make a millimetre a millimetre on this screen");
    this.node = h(
      "div",
      { class: "tools-row", role: "group", "aria-label": "ECG tools" },
      h("span", { class: "group" }, this.pause, this.live),
      h("span", { class: "group" }, previous, next),
      h("span", { class: "group" }, this.speed, this.gain, this.filter),
      h("span", { class: "group" }, this.calipers, this.screen),
    );
  }

  /** Show how things are. */
  show({ live, scale, filtered, calipers }) {
    replace(this.pause, icon(live ? "pause" : "play", 18), h("span", { class: "label" }, live ? "Pause" : "Play"));
    mark(this.pause, "title", live ? "Pause (Space)" : "Go on live (Space)");
    mark(this.live, "aria-pressed", String(live));
    this.speed.value = String(scale.mmPerS);
    this.gain.value = String(scale.mmPerMv);
    this.filter.value = String(filtered);
    mark(this.calipers, "aria-pressed", String(calipers));
  }
}

function tool(act, picture = null, text = "", title = null) {
  const label = text && h("span", { class: "label" }, text);
  return h("button", { class: "button button-small", type: "button", title, "aria-label": title, onclick: act }, picture && icon(picture, 18), label);
}

function choice(name, values, unit, act) {
  const select = h(
    "select",
    { "aria-label": name, title: name },
    values.map((value) => h("option", { value }, `${value} ${unit}`)),
  );
  select.addEventListener("change", () => act(Number(select.value)));
  return select;
}
