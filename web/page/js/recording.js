// One scored recording: what was found, where, and the ECG of any place of it.

import { address, get, put, remove } from "./api.js";
import { h, replace } from "./dom.js";
import { BEATS, dateTime, priorityText } from "./format.js";
import { icon } from "./icons.js";
import { Questionnaire, answers } from "./questionnaire.js";
import { RecordingStrip } from "./recording_strip.js";
import { remarksOf } from "./result_remarks.js";
import { beatCounts, grouped, judgedOn, kindText, place, rateText, span, sureText, verdictText } from "./result_text.js";
import { failure, loading } from "./states.js";
import { Timeline } from "./timeline.js";

const SHAPES = { abnormal: "medium", normal: "normal", unusable: "unusable" };

export class RecordingView {
  #leave = new AbortController();

  constructor(root, shell, route) {
    this.shell = shell;
    this.id = route.params.recording;
    this.at_s = Number(route.query.t) || 0;
    this.path = `/recordings/${encodeURIComponent(this.id)}`;
    this.node = h("div", { class: "recording" });
    root.append(h("h1", { class: "unseen" }, "Recording"), this.node);
    this.#read();
  }

  leave() {
    this.#leave.abort();
  }

  async #read() {
    replace(this.node, loading("Fetching the recording"));
    try {
      this.recording = await get(this.path, {}, { signal: this.#leave.signal });
    } catch (error) {
      if (error.name !== "AbortError") replace(this.node, failure(error, { retry: () => this.#read() }));
      return;
    }
    this.#build();
  }

  #build() {
    const { result } = this.recording;
    document.title = `${this.recording.name} · ecgstream`;
    this.strip = new RecordingStrip({ path: this.path, result, signal: this.#leave.signal, moved: (from_s, seconds) => this.timeline.show(from_s, seconds) });
    this.timeline = new Timeline(result, (seconds) => this.strip.go(seconds));
    replace(
      this.node,
      this.#head(result),
      h("section", { class: "card", "aria-label": "Windows" }, this.#legend(), this.timeline.node, this.#ends(result)),
      this.strip.node,
      result.rows && this.#rows(result.rows),
      h("div", { class: "recording-grid" }, this.#findings(result), this.#beats(result), this.#person()),
    );
    const { keys } = this.shell;
    keys.on("n", "next abnormal place", () => this.strip.event(1));
    keys.on("p", "previous abnormal place", () => this.strip.event(-1));
    keys.on("ArrowRight", "onwards", () => this.strip.step(1));
    keys.on("ArrowLeft", "back", () => this.strip.step(-1));
    this.strip.go(this.at_s || this.strip.first());
  }

  #head(result) {
    const { decision } = result.aggregate;
    const link = (path, label, name) => h("a", { class: "button", href: address(path), target: "_blank", rel: "noopener" }, name && icon(name, 18), label);
    const json = h("button", { class: "button", type: "button", onclick: () => this.#download() }, icon("download", 18), "JSON");
    const gone = h("button", { class: "button", type: "button", onclick: () => this.#remove() }, icon("close", 18), "Delete");
    return h(
      "header",
      { class: `recording-head verdict-${decision}` },
      icon(SHAPES[decision] ?? "information", 44),
      h(
        "div",
        { class: "said" },
        h("p", { class: "verdict" }, verdictText(decision)),
        h("p", { class: "sure" }, sureText(result.aggregate)),
        h("p", { class: "quiet" }, `${this.recording.name} · ${span(result.seconds)} of ${result.leads.join(", ")}, judged on ${judgedOn(result)} · ${result.fs_hz} Hz · kept until ${dateTime(this.recording.expires_ns / 1e6)}`),
        remarksOf(result),
      ),
      h("div", { class: "recording-links" }, link(`${this.path}/report`, "Report"), link(`${this.path}/report.pdf`, "PDF", "download"), json, this.shell.may("responder") && gone),
    );
  }

  #legend() {
    const key = (cls, label) => h("span", {}, h("i", { class: `key ${cls}` }), label);
    return h("p", { class: "legend" }, key("key-normal", "normal"), key("key-abnormal", "abnormal"), key("key-unusable", "not usable"), key("key-finding", "findings of high, medium and low priority"), key("key-rate", "heart rate"));
  }

  #ends(result) {
    return h("p", { class: "ends number" }, h("span", {}, "0:00"), h("span", {}, place(result.seconds)));
  }

  /** The windows of an .npy file, each a recording of its own. */
  #rows(rows) {
    const one = (each) =>
      h(
        "button",
        { class: `button button-small verdict-badge verdict-${each.decision}`, type: "button", onclick: () => this.strip.go(each.start_s) },
        icon(SHAPES[each.decision], 16),
        `${each.row + 1}: ${verdictText(each.decision)}`,
      );
    return h("section", { class: "card" }, h("h2", {}, `Windows of the file (${rows.length})`), h("div", { class: "beat-row" }, rows.map(one)));
  }

  #findings(result) {
    const rows = grouped(result.findings).map((each) =>
      h(
        "tr",
        {},
        h("td", {}, h("span", { class: "badge", "data-state": each.priority }, icon(each.priority, 16), priorityText(each.priority))),
        h("th", { scope: "row" }, kindText(each.kind)),
        h("td", { class: "number" }, String(each.count)),
        h("td", { class: "number" }, span(each.seconds)),
        h("td", { class: "number" }, rateText(each.rates)),
        h("td", {}, each.leads.join(", ")),
        h("td", {}, h("button", { class: "button button-small", type: "button", onclick: () => this.strip.go(each.places[0]) }, place(each.places[0]))),
      ),
    );
    const head = h("tr", {}, ["Priority", "Finding", "Times", "Together", "Rate, /min", "Lead", "First at"].map((label) => h("th", { scope: "col" }, label)));
    const table = h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Findings" }, h("table", {}, h("thead", {}, head), h("tbody", {}, rows)));
    return h("section", { class: "card" }, h("h2", {}, "Findings"), rows.length ? table : h("p", { class: "quiet" }, "None."));
  }

  #beats(result) {
    const counts = beatCounts(result.beats);
    const rows = counts.map(([name, count]) =>
      h("div", {}, h("dt", {}, name === null ? "not classed" : `${name}, ${BEATS[name]}`), h("dd", { class: "number" }, String(count))),
    );
    return h("section", { class: "card" }, h("h2", {}, `Beats (${result.beats.length})`), rows.length ? h("dl", { class: "counts" }, rows) : h("p", { class: "quiet" }, "None found."));
  }

  #person() {
    const box = h("section", { class: "card" });
    const show = () => {
      const rows = answers(this.recording.questionnaire ?? {});
      const edit = h("button", { class: "button button-small", type: "button", onclick: () => change() }, rows.length ? "Change" : "Add details");
      replace(
        box,
        h("h2", {}, "About the person"),
        rows.length ? h("dl", { class: "counts" }, rows.map(([name, label]) => h("div", {}, h("dt", {}, name), h("dd", {}, label)))) : h("p", { class: "quiet" }, "No details yet. They appear in the report."),
        this.shell.may("responder") && edit,
      );
    };
    const change = () => {
      const fields = new Questionnaire(this.recording.questionnaire ?? {});
      const error = h("p", { class: "field-error", role: "alert" });
      const form = h("form", {}, fields.node, error, h("div", { class: "go" }, h("button", { class: "button button-main", type: "submit" }, "Keep"), h("button", { class: "button", type: "button", onclick: show }, "Leave as it was")));
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        try {
          await put(`${this.path}/questionnaire`, fields.read(), { as: "none" });
          this.recording.questionnaire = fields.read();
          this.shell.toast("Kept: the report has it.");
          show();
        } catch (problem) {
          error.textContent = problem.message;
        }
      });
      replace(box, h("h2", {}, "About the person"), form);
      fields.age.focus();
    };
    show();
    return box;
  }

  #download() {
    const blob = new Blob([JSON.stringify(this.recording.result, null, 1)], { type: "application/json" });
    const link = h("a", { href: URL.createObjectURL(blob), download: `${this.recording.name.replace(/[^\w.-]+/g, "_")}.json` });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  async #remove() {
    if (!confirm(`Delete ${this.recording.name} and its report for good?`)) return;
    try {
      await remove(this.path);
      this.shell.toast("Deleted.");
      this.shell.navigate("/upload", { replace: true });
    } catch (error) {
      this.shell.toast(error.message, { kind: "failed" });
    }
  }
}
