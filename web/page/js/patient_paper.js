// The paper of a patient's page: live or a look back, moved by pointer, wheel and keys.

import { call, nanoseconds } from "./api.js";
import { h } from "./dom.js";
import { parse } from "./frames.js";
import { keep, kept } from "./kept.js";
import { LivePaper } from "./live_paper.js";
import { PastPaper } from "./past_paper.js";
import { PastSamples } from "./past_samples.js";
import { GAINS_MM_MV, SPEEDS_MM_S } from "./scale.js";
import { measureScreen, pxPerMm } from "./screen_size.js";
import { Sheet } from "./sheet.js";

const EVENT_AT = 0.3; // of the width: where a moment that is looked at lies
const LEAST_ROOM_PX = 260;
const PHONE_PX = 560;

export class PatientPaper {
  live = true;
  filtered = false;
  sheet = new Sheet();
  #patient;
  #trace;
  #changed;
  #nowMs;
  #past;
  #pastPaper;
  #livePaper;
  #dirty = true;
  #pending = null; // a look that waits for the sheet's size: [ms, share]
  #leave = new AbortController();

  constructor({ patient, trace, verdicts, changed, nowMs }) {
    this.#patient = patient;
    this.#trace = trace;
    this.#changed = changed;
    this.#nowMs = nowMs;
    // A window of five seconds at 25 mm/s is wider than a phone.
    const mmPerS = kept("mm_per_s", innerWidth < PHONE_PX ? 12.5 : 25);
    const mmPerMv = kept("mm_per_mv", 10);
    this.sheet.scale = this.sheet.scale.with({
      mmPerS: SPEEDS_MM_S.includes(mmPerS) ? mmPerS : 25,
      mmPerMv: GAINS_MM_MV.includes(mmPerMv) ? mmPerMv : 10,
      pxPerMm: pxPerMm(),
    });
    this.#past = new PastSamples(patient);
    this.#pastPaper = new PastPaper(this.sheet, this.#past, verdicts);
    this.#livePaper = new LivePaper(this.sheet, trace, verdicts);
    this.picture = h("div", { class: "paper-picture", role: "img" }, this.sheet.node);
    this.node = h("div", { class: "paper" }, this.picture);
    const again = () => {
      this.#dirty = true;
      if (this.live) trace.jumped = true; // marks of a look back into what is on the screen
    };
    this.#past.addEventListener("change", () => (this.#dirty = true));
    verdicts.addEventListener("change", again);
    this.verdicts = verdicts;
    this.#moved();
  }

  close() {
    this.#leave.abort();
    this.#past.close();
  }

  /** The leads of the patient are known, or others. */
  leads(names) {
    if (names.length === 0 || names.join() === this.sheet.leads.join()) return;
    this.sheet.leads = [...names];
    this.lay();
  }

  /** Lay the sheet out by the room there is. */
  lay() {
    const { width } = this.node.getBoundingClientRect();
    if (width === 0) return;
    const room = Math.max(LEAST_ROOM_PX, innerHeight * 0.52);
    this.sheet.lay({ width, room, leads: this.sheet.leads });
    if (this.#pending) {
      const [ms, share] = this.#pending;
      this.#pending = null;
      this.#goTo(ms, share);
    }
    this.#again();
    this.#changed();
  }

  recolour() {
    this.sheet.recolour();
    this.#again();
  }

  rescale(scale) {
    const { fromMs } = this.range();
    const anchor = this.live ? null : this.eventMs(fromMs);
    this.sheet.scale = scale;
    keep("mm_per_s", scale.mmPerS);
    keep("mm_per_mv", scale.mmPerMv);
    this.lay();
    if (anchor !== null) this.goTo(anchor);
  }

  measureScreen() {
    measureScreen((value) => this.rescale(this.sheet.scale.with({ pxPerMm: value })));
  }

  filter(is) {
    this.filtered = is;
    this.#again();
    this.#changed();
  }

  /** What is on the paper: `{fromMs, toMs}`. */
  range() {
    if (!this.live) return { fromMs: this.#pastPaper.leftMs, toMs: this.#pastPaper.rightMs };
    const now = this.#nowMs();
    return { fromMs: now - this.sheet.spanMs, toMs: now };
  }

  /** The moment of the paper that is looked at. */
  eventMs(fromMs) {
    return fromMs + EVENT_AT * this.sheet.spanMs;
  }

  /** Look at a moment; it comes to lie at a share of the width. */
  goTo(ms, share = EVENT_AT) {
    if (this.sheet.width === 0) {
      this.live = false;
      this.#pastPaper.leftMs = ms;
      this.#pending = [ms, share];
      return;
    }
    this.#goTo(ms, share);
    this.#changed();
  }

  goLive() {
    if (this.live) return;
    this.live = true;
    this.#again();
    this.#changed();
  }

  /** Hold what is on the paper, or go on live. */
  toggle() {
    if (!this.live) this.goLive();
    else this.goTo(this.#nowMs() - this.sheet.spanMs, 0);
  }

  /** Move by some ms; what is live stands still from then on. */
  move(ms) {
    const { fromMs } = this.range();
    this.goTo(fromMs + ms, 0);
  }

  /** Draw what is new. */
  draw() {
    if (this.sheet.width === 0) return;
    if (this.live) {
      if (this.#dirty) {
        this.#livePaper.begin({ dim: this.filtered });
        this.#dirty = this.#trace.ring.fsHz === 0;
        const now = this.#nowMs();
        this.verdicts.want(now - this.sheet.spanMs, now, now);
        if (this.filtered) this.#fetchFiltered(now - this.sheet.spanMs, now);
      }
      this.#livePaper.draw();
    } else if (this.#dirty) {
      this.#dirty = false;
      this.#pastPaper.draw(this.#nowMs(), this.filtered);
    }
  }

  /** A verdict has come. */
  judged(verdict) {
    if (!this.live) {
      const { fromMs, toMs } = this.range();
      if (verdict.endMs > fromMs && verdict.startMs < toMs) this.#dirty = true;
      return;
    }
    this.#livePaper.put(verdict);
    if (this.filtered) this.#fetchFiltered(verdict.startMs, verdict.endMs);
  }

  #again() {
    this.#dirty = true;
    this.#pastPaper.recentre();
  }

  #goTo(ms, share) {
    const left = ms - share * this.sheet.spanMs;
    const jump = Math.abs(left - this.#pastPaper.leftMs) > this.sheet.spanMs;
    if (this.live || jump) this.#pastPaper.recentre();
    this.live = false;
    const most = this.#nowMs() - 0.1 * this.sheet.spanMs;
    this.#pastPaper.leftMs = Math.min(left, most);
    this.#dirty = true;
  }

  async #fetchFiltered(fromMs, toMs) {
    const path = `/patients/${encodeURIComponent(this.#patient)}/samples`;
    const query = { from_ns: nanoseconds(fromMs), to_ns: nanoseconds(toMs), filtered: true };
    try {
      const message = await call(path, { query, as: "buffer", signal: this.#leave.signal });
      if (!this.live || !this.filtered) return;
      for (const stretch of parse(message)) this.#livePaper.putFiltered(stretch);
    } catch {
      // The next window brings the next piece.
    }
  }

  #moved() {
    const { node } = this;
    node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const from = event.clientX;
      const { fromMs } = this.range();
      let dragging = false;
      const move = (moved) => {
        const by = moved.clientX - from;
        if (!dragging && Math.abs(by) < 4) return;
        if (!dragging) node.setPointerCapture(event.pointerId);
        dragging = true;
        this.goTo(fromMs - by / this.sheet.scale.pxPerMs, 0);
      };
      const end = () => {
        node.removeEventListener("pointermove", move);
        node.removeEventListener("pointerup", end);
        node.removeEventListener("pointercancel", end);
      };
      node.addEventListener("pointermove", move);
      node.addEventListener("pointerup", end);
      node.addEventListener("pointercancel", end);
    });
    node.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey) {
          event.preventDefault();
          const step = event.deltaY < 0 ? 1 : -1;
          if (Math.abs(event.deltaY) > 2) this.rescale(this.sheet.scale.faster(step));
          return;
        }
        const by = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
        if (Math.abs(by) < 1 || (!event.shiftKey && Math.abs(event.deltaY) > Math.abs(event.deltaX))) return;
        event.preventDefault();
        this.move(by / this.sheet.scale.pxPerMs);
      },
      { passive: false },
    );
  }
}
