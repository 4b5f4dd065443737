// Single beats: the class of each, how sure, and how badly the autoencoder redraws it.

import { h, svg } from "./dom.js";

const SHOWN = 200; // a file may hold thousands

export class BeatResult {
  constructor(beats, name) {
    const abnormal = beats.filter((each) => each.abnormal).length;
    const shown = beats.slice(0, SHOWN);
    const worst = Math.max(...beats.map((each) => each.error ?? 0), 1e-9);
    const rest = beats.length - shown.length;
    this.node = h(
      "div",
      { class: "beats" },
      h("h2", {}, name),
      h("p", { class: "verdict-line" }, `${abnormal} of ${beats.length} ${beats.length === 1 ? "beat" : "beats"} abnormal`),
      h("ul", { class: "beat-list" }, shown.map((each, at) => beat(each, at, worst))),
      rest > 0 && h("p", { class: "quiet" }, `${rest} more are in the JSON answer.`),
    );
  }
}

function beat(each, at, worst) {
  const sure = Math.max(...Object.values(each.probabilities ?? {}), 0);
  return h(
    "li",
    { class: `card beat ${each.abnormal ? "beat-abnormal" : "beat-normal"}` },
    h("h3", {}, `Beat ${at + 1}`),
    each.samples && drawn(each.samples, each.redrawn),
    h("p", {}, h("b", {}, each.label ?? each.class), sure > 0 && h("span", { class: "quiet" }, ` ${Math.round(sure * 100)} %`)),
    h("p", { class: "quiet" }, h("span", {}, `Error ${each.error.toPrecision(3)}`), meter(each.error / worst)),
  );
}

function meter(share) {
  return svg(
    "svg",
    { class: "meter", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "meter-ground", width: 100, height: 6 }),
    svg("rect", { class: "meter-value", width: Math.min(share, 1) * 100, height: 6 }),
  );
}

function drawn(samples, redrawn) {
  const all = redrawn ? [...samples, ...redrawn] : samples;
  const low = Math.min(...all);
  const span = Math.max(...all) - low || 1;
  const line = (values) =>
    values.map((value, at) => `${at ? "L" : "M"}${((at / (values.length - 1)) * 140).toFixed(1)} ${(58 - ((value - low) / span) * 56).toFixed(1)}`).join("");
  return svg(
    "svg",
    { class: "beat-drawn", viewBox: "0 0 140 60", "aria-hidden": "true" },
    redrawn && svg("path", { class: "redrawn", d: line(redrawn) }),
    svg("path", { class: "trace", d: line(samples) }),
  );
}
