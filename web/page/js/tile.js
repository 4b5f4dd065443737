// A patient on the ward: state, heart rate, a sweeping trace, the latest alarm.

import { h, mark, replace, say } from "./dom.js";
import { rate, stateName, stateText } from "./format.js";
import { icon } from "./icons.js";
import { LiveTrace } from "./live_trace.js";
import { patientPath } from "./routes.js";
import { Sweep } from "./sweep.js";

const SECONDS = 16; // more than a tile is wide
const PX_PER_S = 46; // about 12.5 mm/s
const LEAST_RANGE_MV = 2.2; // what a tile's height shows at least
const STEPS_MV = [2.2, 3.2, 4.5, 6.5, 10, 20];

export class Tile {
  visible = false;
  trace = new LiveTrace(SECONDS, performance.now());
  #sweep;
  #size = { width: 0, height: 0 };
  #turn = NaN;
  #range = LEAST_RANGE_MV;
  #middle = 0.4; // mV in the middle of the tile's height
  #colour = "#4fe08f";
  #shown = "";
  #summary = null;
  #quiet = false;

  constructor(patient) {
    this.patient = patient;
    this.name = h("span", { class: "tile-name" }, patient);
    this.lead = h("span", { class: "tile-lead" });
    this.rate = h("span", { class: "tile-rate number" }, "–");
    this.canvas = h("canvas", { role: "img" });
    this.state = h("span", { class: "badge" });
    this.alarm = h("span", { class: "tile-alarm" });
    this.more = h("span", { class: "tile-more number" });
    const top = h("span", { class: "tile-top" }, this.name, this.lead, this.rate, h("span", { class: "tile-unit" }, "/min"));
    const foot = h("span", { class: "tile-foot" }, this.state, this.alarm, this.more);
    this.link = h("a", { class: "tile", href: patientPath(patient) }, top, this.canvas, foot);
    this.node = h("li", {}, this.link);
    this.node.tile = this;
    this.canvas.tile = this;
    this.#sweep = new Sweep(this.canvas);
  }

  /** What is known of the patient now. */
  update(summary) {
    this.#summary = summary;
    const { state, alarm, verdict } = summary;
    // An abnormal window that alarms nobody is information, too.
    const abnormal = state === "information" && alarm === null;
    const label = abnormal ? "Abnormal window" : stateText(state);
    const why = alarm?.label ?? (state === "normal" || state === "silent" ? "" : (verdict?.reasons[0] ?? ""));
    const more = summary.open_alarms > 1 ? `+${summary.open_alarms - 1}` : "";
    const key = `${state} ${label} ${why} ${more}`;
    if (key !== this.#shown) {
      this.#shown = key;
      mark(this.link, "data-state", state);
      mark(this.state, "data-state", state);
      replace(this.state, icon(state, 17), abnormal ? "Abnormal" : stateName(state));
      say(this.alarm, why);
      mark(this.alarm, "title", why || null);
      say(this.more, more);
    }
    const bpm = this.#quiet ? "–" : rate(summary.heart_rate_bpm);
    say(this.rate, bpm);
    say(this.lead, summary.lead ?? summary.leads[0] ?? "");
    const heart = this.#quiet ? "nothing comes" : bpm === "–" ? "no heart rate" : `heart rate ${bpm}`;
    mark(this.link, "aria-label", `${this.patient}: ${label}, ${heart}${why ? `, ${why}` : ""}`);
    mark(this.canvas, "aria-label", `Live ECG of ${this.patient}, lead ${this.lead.textContent}`);
  }

  /** Look whether anything still comes: an old heart rate must not look like a new one. */
  check(now) {
    const quiet = this.trace.quiet(now);
    if (quiet === this.#quiet) return;
    this.#quiet = quiet;
    mark(this.link, "data-quiet", quiet ? "true" : null);
    if (this.#summary) this.update(this.#summary);
  }

  resize(width, height) {
    this.#size = { width, height };
    this.#layout();
  }

  recolour(colour) {
    this.#colour = colour;
    this.#layout();
  }

  draw() {
    const { ring } = this.trace;
    if (ring.fsHz === 0) return;
    const turn = this.#sweep.turn(this.trace.head);
    if (this.trace.jumped || turn !== this.#turn) {
      // The gain changes only where the trace comes round, so that one sweep can be compared with itself.
      const fits = this.#fit();
      if (this.trace.jumped || !fits || Number.isNaN(this.#turn)) this.#layout();
      this.#turn = this.#sweep.turn(this.trace.head);
      this.trace.jumped = false;
    }
    this.#sweep.draw(ring, this.trace.head);
  }

  /** Choose range and middle by the last sweep; whether they have stayed as they were. */
  #fit() {
    const { ring } = this.trace;
    let low = Infinity;
    let high = -Infinity;
    for (let index = Math.max(ring.start, Math.floor(ring.end - 6 * ring.fsHz)); index < ring.end; index++) {
      const mv = ring.mv(index, 0);
      if (mv < low) low = mv;
      if (mv > high) high = mv;
    }
    if (low > high) return true;
    const need = (high - low) * 1.12;
    const range = STEPS_MV.find((step) => step >= need) ?? need;
    const middle = (high + low) / 2;
    const fits = range === this.#range && Math.abs(middle - this.#middle) < 0.12 * range;
    if (fits) return true;
    this.#range = range;
    this.#middle = middle;
    return false;
  }

  #layout() {
    const { width, height } = this.#size;
    const { fsHz } = this.trace.ring;
    if (width === 0 || fsHz === 0) return;
    const pxPerMv = height / this.#range;
    const zeroPx = height / 2 + this.#middle * pxPerMv;
    this.#sweep.layout({
      width,
      height,
      density: Math.min(devicePixelRatio, 2),
      pxPerSample: PX_PER_S / fsHz,
      lanes: [{ lead: 0, zeroPx, pxPerMv, colour: this.#colour }],
      linePx: 1.4,
    });
  }
}
