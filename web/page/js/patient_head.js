// Who it is, how they are, what was judged last.

import { h, mark, replace, say } from "./dom.js";
import { clockTime, rate, score, stateText } from "./format.js";
import { icon } from "./icons.js";

export class PatientHead {
  #state = "";

  constructor(patient) {
    this.patient = patient;
    this.badge = h("span", { class: "badge" });
    this.rate = h("span", { class: "rate number" }, "–");
    this.device = h("p", { class: "quiet" });
    this.several = h("p", { class: "several", role: "status" });
    this.node = h(
      "header",
      { class: "patient-head" },
      h("div", { class: "who" }, h("a", { href: "/", class: "crumb" }, "Ward"), h("h1", {}, patient), this.device, this.several),
      this.badge,
      h("p", { class: "rate-box" }, this.rate, h("span", { class: "quiet" }, "/min")),
    );
  }

  /** How they are now; of whom nothing comes, no heart rate is known. */
  update(summary, quiet) {
    const { state, leads, fs_hz, device } = summary;
    if (state !== this.#state) {
      this.#state = state;
      mark(this.badge, "data-state", state);
      replace(this.badge, icon(state, 22), stateText(state));
    }
    say(this.rate, quiet ? "–" : rate(summary.heart_rate_bpm));
    const leadText = leads.length ? ` · ${leads.join(", ")}` : "";
    say(this.several, severalText(summary.devices ?? []));
    say(this.device, `${device}${leadText}${fs_hz ? ` · ${Number(fs_hz.toFixed(1))} Hz` : ""}`);
  }
}

/** What is told where more than one device sends under this id; the first is the one that is shown. */
function severalText([shown, ...others]) {
  if (others.length === 0) return "";
  return `${others.length + 1} devices send under this patient's id. Shown: ${shown}. Not shown: ${others.join(", ")}.`;
}

const DECISIONS = { normal: "Normal", abnormal: "Abnormal", unusable: "No usable signal" };
const PICTURES = { normal: "normal", abnormal: "medium", unusable: "unusable" };

/** The verdict on a window: of the newest when live, of what is in the middle of the paper in a look back. */
export class VerdictCard {
  #shown = null;

  constructor() {
    this.node = h("section", { class: "card verdict", "aria-label": "Verdict" });
    this.show(null);
  }

  show(verdict) {
    if (verdict !== null && verdict === this.#shown) return;
    this.#shown = verdict;
    if (verdict === null) {
      replace(this.node, h("h2", {}, "Verdict"), h("p", { class: "quiet" }, "Nothing has been judged here."));
      return;
    }
    const { decision, startMs, endMs, fused, threshold, reasons, lead } = verdict;
    const badge = h("span", { class: "badge", "data-state": PICTURES[decision] }, icon(PICTURES[decision], 18), DECISIONS[decision]);
    const when = h("span", { class: "quiet number" }, `${clockTime(startMs)} to ${clockTime(endMs)}${lead ? `, ${lead}` : ""}`);
    replace(
      this.node,
      h("div", { class: "card-head" }, h("h2", {}, "Verdict"), badge, when),
      fused === null ? null : bar("Fused score", fused, threshold),
      fused === null ? null : h("p", { class: "quiet scores number" }, `CNN ${score(verdict.cnn)} · autoencoder ${score(verdict.autoencoder)}`),
      reasons.length ? h("ul", {}, reasons.map((reason) => h("li", {}, reason))) : h("p", { class: "quiet" }, "Nothing unusual found."),
    );
  }
}

function bar(name, value, limit) {
  const filled = h("i");
  const edge = h("b");
  filled.style.width = `${100 * value}%`;
  edge.style.left = `${100 * limit}%`;
  return h(
    "div",
    { class: "score-line" },
    h("span", {}, name),
    h("span", { class: "score-bar", role: "img", "aria-label": `${name} ${score(value)}, limit ${score(limit)}` }, filled, edge),
    h("span", { class: "number" }, score(value)),
    h("span", { class: "quiet number" }, `limit ${score(limit)}`),
  );
}
