// Single beats: the class of each, how sure, and how badly the autoencoder redraws it.

import { h, svg } from "./dom.js";
import { icon } from "./icons.js";

const SHOWN = 200; // a file may hold thousands

export class BeatResult {
  /** `answer` is that of the interface: `{beats, models, note}`. */
  constructor({ beats, note }, name) {
    const abnormal = beats.filter((each) => each.abnormal).length;
    const shown = beats.slice(0, SHOWN);
    const worst = shown.reduce((most, each) => Math.max(most, each.error), 1e-9);
    const rest = beats.length - shown.length;
    this.node = h(
      "div",
      { class: "beats" },
      h("h2", {}, name),
      h("p", { class: "verdict-line" }, `${abnormal} of ${beats.length} ${beats.length === 1 ? "beat" : "beats"} abnormal`),
      h("ul", { class: "beat-list" }, shown.map((each, at) => beat(each, at, worst))),
      h("p", { class: "quiet" }, `The error is the autoencoder's, in those of a normal beat. ${note}`),
      rest > 0 && h("p", { class: "quiet" }, `${rest} more are in the JSON answer.`),
    );
  }
}

function beat(each, at, worst) {
  const sure = each.probabilities[each.class] ?? null;
  const title = each.annotated === null ? `Beat ${at + 1}` : `Beat ${at + 1}, annotated ${each.annotated}`;
  return h(
    "li",
    { class: `card beat ${each.abnormal ? "beat-abnormal" : ""}` },
    h("h3", {}, title),
    drawn(each.samples),
    h(
      "p",
      { class: each.abnormal ? "verdict-badge verdict-abnormal" : "verdict-badge verdict-normal" },
      icon(each.abnormal ? "medium" : "normal", 16),
      each.abnormal ? "Abnormal" : "Normal",
      h("span", { class: "quiet" }, `${Math.round(100 * (each.abnormal ? each.abnormal_probability : 1 - each.abnormal_probability))} %`),
    ),
    h("p", {}, `Class ${each.class}`, sure !== null && h("span", { class: "quiet" }, ` ${Math.round(sure * 100)} %`)),
    h("p", { class: "quiet" }, `Error ${each.error.toPrecision(3)}`, meter(each.error / worst)),
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

function drawn(samples) {
  const low = Math.min(...samples);
  const span = Math.max(...samples) - low || 1;
  const point = (value, at) => `${((at / (samples.length - 1)) * 140).toFixed(1)} ${(58 - ((value - low) / span) * 56).toFixed(1)}`;
  const line = samples.map((value, at) => `${at ? "L" : "M"}${point(value, at)}`).join("");
  return svg("svg", { class: "beat-drawn", viewBox: "0 0 140 60", "aria-hidden": "true" }, svg("path", { d: line }));
}
