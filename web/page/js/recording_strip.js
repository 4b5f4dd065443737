// A few seconds of a recording on paper, and the ways through it.

import { get } from "./api.js";
import { h, replace } from "./dom.js";
import { icon } from "./icons.js";
import { kindText, place } from "./result_text.js";
import { SCALE, paper } from "./strip_svg.js";

const SECONDS = 12; // as wide as the page on paper scale
const LEAD_IN_S = 2; // what comes before a place that is gone to

export class RecordingStrip {
  #turn = 0;

  constructor({ path, result, signal, moved }) {
    this.path = path;
    this.result = result;
    this.signal = signal;
    this.moved = moved;
    this.from_s = 0;
    this.places = [...new Set(result.findings.map((each) => each.start_s))].sort((one, other) => one - other);
    const button = (name, label, act) => h("button", { class: "button button-small", type: "button", "aria-label": label, title: label, onclick: act }, icon(name, 18));
    this.where = h("span", { class: "number", role: "status" });
    this.reasons = h("p", { class: "reasons" });
    this.slider = h("input", { type: "range", min: 0, max: Math.max(0, Math.ceil(result.seconds - SECONDS)), step: 1, "aria-label": "Place in the recording" });
    this.slider.addEventListener("input", () => this.#to(Number(this.slider.value)));
    this.box = h("div", { class: "strip-paper", tabindex: "0", role: "group", "aria-label": "Strip" });
    this.node = h(
      "section",
      { class: "card recording-strip", "aria-label": "ECG" },
      h(
        "div",
        { class: "walk" },
        button("previous", `Back ${SECONDS} s`, () => this.step(-1)),
        button("next", `Onwards ${SECONDS} s`, () => this.step(1)),
        this.where,
        this.slider,
        h("button", { class: "button button-small", type: "button", onclick: () => this.event(-1) }, "Previous finding"),
        h("button", { class: "button button-small", type: "button", onclick: () => this.event(1) }, "Next finding"),
      ),
      this.box,
      h("p", { class: "quiet scale" }, SCALE),
      this.reasons,
    );
  }

  /** Where to begin: the first finding, else the start. */
  first() {
    return this.places[0] ?? 0;
  }

  go(seconds) {
    this.#to(seconds - LEAD_IN_S);
  }

  step(by) {
    this.#to(this.from_s + by * SECONDS);
  }

  event(by) {
    const here = this.from_s + LEAD_IN_S;
    const next = by > 0 ? this.places.find((each) => each > here + 0.5) : this.places.findLast((each) => each < here - 0.5);
    if (next !== undefined) this.go(next);
  }

  async #to(seconds) {
    const most = Math.max(0, this.result.seconds - SECONDS);
    this.from_s = Math.min(Math.max(0, seconds), most);
    const to_s = Math.min(this.from_s + SECONDS, this.result.seconds);
    this.slider.value = this.from_s;
    this.slider.setAttribute("aria-valuetext", place(this.from_s));
    this.where.textContent = `${place(this.from_s)} to ${place(to_s)}`;
    this.moved(this.from_s, to_s - this.from_s);
    this.#why(to_s);
    const mine = ++this.#turn;
    try {
      const strip = await get(`${this.path}/strip`, { at_s: this.from_s.toFixed(3), seconds: SECONDS, format: "json" }, { signal: this.signal });
      if (mine === this.#turn) this.#draw(strip, to_s);
    } catch (error) {
      if (mine === this.#turn && error.name !== "AbortError") replace(this.box, h("p", { class: "quiet" }, error.message));
    }
  }

  /** Times on this paper are those of the recording: its start is 0. */
  #draw(strip, to_s) {
    const from_s = strip.start_s ?? this.from_s;
    const within = (start_s, end_s) => end_s > this.from_s && start_s < to_s;
    const marks = this.result.beats.filter((each) => within(each.t_s, each.t_s)).map((each) => ({ ms: each.t_s * 1000, text: each.class ?? "·", cls: each.class ?? "none" }));
    const shades = this.result.windows
      .filter((each) => each.decision !== "normal" && within(each.start_s, each.end_s))
      .map((each) => ({ from_ms: each.start_s * 1000, to_ms: each.end_s * 1000, cls: `shade-${each.decision}` }));
    const description = `${strip.leads.join(" and ")} from ${place(this.from_s)} to ${place(to_s)}, ${marks.length} beats: ${marks.map((each) => each.text).join(" ")}`;
    const drawn = paper({ ...strip, start_ms: from_s * 1000 }, { description, marks, shades, time: (ms) => place(ms / 1000) });
    replace(this.box, drawn);
  }

  #why(to_s) {
    const here = this.result.findings.filter((each) => each.end_s >= this.from_s && each.start_s <= to_s).map((each) => kindText(each.kind));
    const reasons = this.result.windows.filter((each) => each.end_s > this.from_s && each.start_s < to_s).flatMap((each) => each.reasons);
    const all = [...new Set([...here, ...reasons])];
    this.reasons.textContent = all.length ? all.join("; ") : "Nothing was found here.";
  }
}
