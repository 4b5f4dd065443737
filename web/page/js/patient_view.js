// The patient's page: what is on the paper, live or in a look back, and all that goes along with it.

import { address, nanoseconds } from "./api.js";
import { Calipers } from "./calipers.js";
import { h, mark, replace, say } from "./dom.js";
import { BEATS, dateTime, exactTime, parseTime, rate, stateText } from "./format.js";
import { icon } from "./icons.js";
import { LiveTrace } from "./live_trace.js";
import { loop } from "./loop.js";
import { PatientAlarms } from "./patient_alarms.js";
import { PatientBeats } from "./patient_beats.js";
import { PatientHead, VerdictCard } from "./patient_head.js";
import { NOTES, noteOf } from "./patient_notes.js";
import { PatientPaper } from "./patient_paper.js";
import { PatientTools } from "./patient_tools.js";
import { PatientTrends } from "./patient_trends.js";
import { patientPath } from "./routes.js";
import { Samples } from "./samples.js";
import { themes } from "./theme.js";
import { Verdicts } from "./verdicts.js";

const KEPT_S = 120; // more than fits a wide screen at the slowest speed
const EXPORT_S = [5, 30];
const FILES = [
  ["wfdb", "WFDB"],
  ["edf", "EDF+"],
  ["fhir", "FHIR"],
];

export class PatientView {
  #shell;
  #trace = new LiveTrace(KEPT_S, performance.now());
  #quiet = false;
  #ends = [];
  #samples;
  #second = NaN;
  #known = false;
  #seen = null; // the newest verdict

  constructor(patient, shell, moment) {
    this.patient = patient;
    this.#shell = shell;
    this.moment = parseTime(moment);
    this.verdicts = new Verdicts(patient);
    this.head = new PatientHead(patient);
    this.card = new VerdictCard();
    this.alarms = new PatientAlarms(patient, shell, (ms) => this.paper.goTo(ms));
    this.tools = new PatientTools(this.#acts());
    this.paper = new PatientPaper({
      patient,
      trace: this.#trace,
      verdicts: this.verdicts,
      changed: () => this.#shown(),
      nowMs: () => this.#nowMs(),
    });
    this.calipers = new Calipers(this.paper.sheet);
    this.paper.node.append(this.calipers.node);
    this.trends = new PatientTrends(patient, (ms) => this.paper.goTo(ms, 0.5));
    this.when = h("p", { class: "when number" });
    this.note = h("div", { class: "paper-note" });
    this.exports = ["png", "pdf"].map((format) =>
      h("a", { class: "button button-small", download: true, "data-format": format }, icon("download", 18), format.toUpperCase()),
    );
    this.beats = new PatientBeats(this.#shell, this.patient);
    this.files = FILES.map(([format, text]) =>
      h("a", { class: "button button-small", download: true, "data-format": format }, icon("download", 18), text),
    );
    this.node = this.#build();
  }

  #build() {
    const legend = Object.entries(BEATS).map(([kind, name]) =>
      h("li", {}, h("b", { class: `beat beat-${kind.toLowerCase()}` }, kind), ` ${name}`),
    );
    return h(
      "div",
      { class: "patient" },
      this.head.node,
      this.tools.node,
      h("div", { class: "paper-box" }, this.paper.node, this.note),
      h("div", { class: "paper-foot" }, this.when, h("ul", { class: "legend", "aria-label": "Classes of beats" }, legend)),
      h(
        "section",
        { class: "card trend-card", "aria-label": "Trends" },
        h("div", { class: "card-head" }, h("h2", {}, "Heart rate and scores"), h("span", { class: "quiet" }, "bars: fused; lines: CNN (blue), autoencoder; choose a moment to look at it")),
        this.trends.node,
      ),
      h(
        "div",
        { class: "patient-cards" },
        this.card.node,
        this.alarms.node,
        this.beats.node,
        h(
          "section",
          { class: "card", "aria-label": "Strip" },
          h("h2", {}, "Strip"),
          h("p", { class: "quiet" }, "What is on the paper, as a file at 25 mm/s and 10 mm/mV."),
          h("p", { class: "row" }, this.exports),
          h("p", { class: "quiet" }, "Its samples, with what never came marked as missing."),
          h("p", { class: "row" }, this.files),
        ),
      ),
    );
  }

  begin() {
    const { live } = this.#shell;
    this.#samples = new Samples(live, { patients: [this.patient], leads: "all", fs_hz: null }, (frame) => {
      if (frame.patient !== this.patient) return;
      this.#trace.put(frame, performance.now());
      this.paper.leads(frame.leads.map((lead) => lead.name));
    });
    this.#listen(live, "patients", () => this.#update());
    this.#listen(live, "state", () => this.#update());
    this.#listen(live, "verdict", ({ detail }) => this.#judged(detail));
    this.#listen(live, "alarms", ({ detail }) => detail?.patient === this.patient && this.trends.stale());
    this.#listen(this.verdicts, "change", () => this.#shown());
    this.#listen(themes, "change", () => {
      this.paper.recolour();
      this.trends.recolour();
    });
    const resized = new ResizeObserver(() => {
      this.paper.lay();
      this.trends.resize();
      this.calipers.place();
    });
    resized.observe(this.paper.node.parentElement);
    resized.observe(this.trends.node);
    this.#ends.push(() => resized.disconnect());
    this.#keys();
    this.#ends.push(loop.add((now) => this.#draw(now)));
    if (this.moment !== null) this.paper.goTo(this.moment, 0.5);
    this.#update();
    this.#shown();
  }

  close() {
    for (const end of this.#ends) end();
    this.#samples.close();
    this.alarms.close();
    this.verdicts.close();
    this.trends.close();
    this.beats.close();
    this.paper.close();
  }

  #acts() {
    const scaled = (scale) => {
      this.paper.rescale(scale);
      this.calipers.place();
    };
    this.scaled = scaled;
    return {
      pause: () => this.paper.toggle(),
      live: () => this.paper.goLive(),
      previous: () => this.#jump(-1),
      next: () => this.#jump(1),
      speed: (mmPerS) => scaled(this.paper.sheet.scale.with({ mmPerS })),
      gain: (mmPerMv) => scaled(this.paper.sheet.scale.with({ mmPerMv })),
      filter: (is) => this.paper.filter(is),
      calipers: () => this.#measure(),
      screen: () => this.paper.measureScreen(),
    };
  }

  #keys() {
    const { keys } = this.#shell;
    const act = this.#acts();
    const paper = this.paper;
    keys.on(" ", "pause, or go on live", act.pause);
    keys.on("l", "back to live", act.live);
    keys.on("n", "next event", act.next);
    keys.on("p", "previous event", act.previous);
    keys.on("ArrowLeft", "back by a second", (event) => paper.move(event.shiftKey ? -10_000 : -1000));
    keys.on("ArrowRight", "on by a second (10 s with Shift)", (event) => paper.move(event.shiftKey ? 10_000 : 1000));
    keys.on("+", "faster paper", () => this.scaled(paper.sheet.scale.faster(1)));
    keys.on("-", "slower paper", () => this.scaled(paper.sheet.scale.faster(-1)));
    keys.on(">", "more gain", () => this.scaled(paper.sheet.scale.higher(1)));
    keys.on("<", "less gain", () => this.scaled(paper.sheet.scale.higher(-1)));
    keys.on("f", "signal as recorded, or as the detector sees it", () => paper.filter(!paper.filtered));
    keys.on("c", "calipers", act.calipers);
  }

  #listen(target, name, act) {
    target.addEventListener(name, act);
    this.#ends.push(() => target.removeEventListener(name, act));
  }

  /** Up to where the recording has come, ms by the device's clock. */
  #nowMs() {
    const { headMs } = this.#trace;
    if (!Number.isNaN(headMs)) return headMs;
    const last = this.#shell.live.patients.get(this.patient)?.last_sample_ns;
    return last ? last / 1e6 : Date.now();
  }

  #draw(now) {
    this.#trace.step(now);
    this.paper.draw();
    if (this.paper.live && this.#trace.ring.fsHz) {
      const age = this.#trace.ageMs(Date.now());
      if (age === age) loop.age.add(age);
    }
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#tick();
    if (this.#trace.quiet(now) !== this.#quiet) {
      this.#quiet = !this.#quiet;
      this.#update();
    }
  }

  #tick() {
    const { fromMs, toMs } = this.paper.range();
    this.trends.draw(this.#nowMs(), { fromMs, toMs });
    if (this.paper.live) say(this.when, Number.isNaN(this.#trace.headMs) ? "" : dateTime(this.#trace.headMs));
  }

  #judged(verdict) {
    if (verdict.patient !== this.patient || !this.verdicts.wants(verdict)) return;
    this.#seen = this.verdicts.put(verdict);
    this.trends.put(this.#seen);
    this.paper.judged(this.#seen);
    if (this.paper.live) this.card.show(this.#seen);
    this.#describe();
  }

  #update() {
    const { live } = this.#shell;
    const summary = live.patients.get(this.patient);
    if (summary) {
      if (!this.#known) this.trends.fetch(this.#nowMs());
      this.#known = true;
      this.head.update(summary, this.#quiet);
      this.verdicts.device = (summary.devices ?? []).length > 1 ? summary.device : null;
      this.paper.leads(summary.leads);
    }
    const note = noteOf(live, { known: summary !== undefined, quiet: this.#quiet && this.paper.live });
    if (this.note.dataset.note !== note) {
      this.note.dataset.note = note;
      replace(this.note, NOTES[note](live));
      mark(this.node, "data-note", note);
    }
    this.#describe();
  }

  /** What is on the paper has changed. */
  #shown() {
    const { live, sheet, filtered } = this.paper;
    if (live) this.calipers.show(false); // what sweeps away cannot be measured
    this.tools.show({ live, scale: sheet.scale, filtered, calipers: this.calipers.shown });
    const { fromMs, toMs } = this.paper.range();
    const middle = (fromMs + toMs) / 2;
    this.card.show(live ? (this.#seen ?? this.verdicts.between(fromMs, toMs).at(-1) ?? null) : this.verdicts.at(middle));
    this.beats.show({ live, fromMs, toMs, verdicts: this.verdicts.between(fromMs, toMs) });
    if (!live) say(this.when, `${dateTime(fromMs)} to ${exactTime(toMs).slice(0, 8)}`);
    this.trends.draw(this.#nowMs(), { fromMs, toMs });
    const path = live ? patientPath(this.patient) : patientPath(this.patient, middle);
    if (path !== location.pathname + location.search) history.replaceState(null, "", path);
    const seconds = Math.min(Math.max(Math.round((toMs - fromMs) / 1000), EXPORT_S[0]), EXPORT_S[1]);
    for (const link of this.exports) {
      const query = { at_ns: nanoseconds(middle), seconds, format: link.dataset.format };
      link.href = address(`/patients/${encodeURIComponent(this.patient)}/strip`, query);
    }
    for (const link of this.files) {
      const query = { from_ns: nanoseconds(fromMs), to_ns: nanoseconds(toMs), format: link.dataset.format };
      link.href = address(`/patients/${encodeURIComponent(this.patient)}/samples`, query);
    }
    this.#update();
  }

  #jump(direction) {
    const { fromMs, toMs } = this.paper.range();
    const from = this.paper.live ? toMs : this.paper.eventMs(fromMs);
    const event = this.trends.data.event(from, direction);
    if (event === null) {
      this.#shell.toast(direction > 0 ? "No later event" : "No earlier event within the hour", { kind: "failed" });
      return;
    }
    this.paper.goTo(event.ms);
    this.#shell.announce(`${event.label}, ${exactTime(event.ms).slice(0, 8)}`);
  }

  #measure() {
    const shown = !this.calipers.shown;
    if (shown && this.paper.live) this.paper.toggle();
    this.calipers.show(shown);
    this.#shown();
  }

  /** The text alternative of the paper: changed with each verdict, not with each sample. */
  #describe() {
    const summary = this.#shell.live.patients.get(this.patient);
    const { sheet, live } = this.paper;
    const scale = `${sheet.scale.mmPerS} mm/s, ${sheet.scale.mmPerMv} mm/mV`;
    const heart = this.#quiet ? "nothing comes" : `heart rate ${rate(summary?.heart_rate_bpm)}`;
    const how = summary ? `${heart}, ${stateText(summary.state)}` : "";
    const what = live ? "Live ECG" : `ECG of ${dateTime(this.paper.range().fromMs)}`;
    mark(this.paper.picture, "aria-label", `${what} of ${this.patient}, leads ${sheet.leads.join(" and ")}, ${scale}; ${how}`);
  }
}
