// Upload: choose files or a sample, see what the detector says of them; and one recording with all that was found.

import { get, post } from "./api.js";
import { BeatResult } from "./beat_result.js";
import { h, replace } from "./dom.js";
import { dateTime } from "./format.js";
import { RecordingView } from "./recording.js";
import { remarksOf } from "./result_remarks.js";
import { judgedOn, span, sureText, verdictText } from "./result_text.js";
import { failure, loading } from "./states.js";
import { icon } from "./icons.js";
import { UploadForm } from "./upload_form.js";

const SCORE_MS = 180_000; // hours of recording take a while

export const title = (route) => (route.name === "recording" ? "Recording" : "Upload");

export function mount(root, shell, route) {
  const view = route.name === "recording" ? new RecordingView(root, shell, route) : new Upload(root, shell);
  return () => view.leave();
}

/** The address of a recording. */
export const recordingPath = (id) => `/recordings/${encodeURIComponent(id)}`;

class Upload {
  #leave = new AbortController();

  constructor(root, shell) {
    this.shell = shell;
    this.form = new UploadForm({
      signal: this.#leave.signal,
      scored: (answer) => this.#scored(answer),
      beats: (answer, name) => this.#beats(answer, name),
      failed: (error) => this.#failed(error),
      began: () => replace(this.results),
    });
    this.samples = h("div", { class: "samples" }, loading("Looking for samples"));
    this.results = h("section", { class: "results", "aria-label": "Results", "aria-live": "polite" });
    this.earlier = h("ul", { class: "earlier" });
    this.earlierBox = h("section", { class: "card", hidden: true }, h("h2", {}, "Earlier recordings"), this.earlier);
    this.allowed = h("div", { class: "upload-grid" }, this.form.node, h("section", { class: "card" }, h("h2", {}, "Or take a sample"), this.samples));
    this.forbidden = h("p", { class: "card" }, "You may look. To score recordings, ask for the role responder.");
    root.append(
      h("header", { class: "upload-head" }, h("h1", {}, "Score a recording"), h("p", { class: "quiet" }, "The same detector as on the ward judges it, five seconds at a time.")),
      this.forbidden,
      this.allowed,
      this.results,
      this.earlierBox,
    );
    shell.live.addEventListener("user", () => this.#may(), { signal: this.#leave.signal });
    shell.keys.on("f", "choose files", () => this.form.choose());
    this.#may();
    this.#readSamples();
    this.#readEarlier();
  }

  leave() {
    this.#leave.abort();
  }

  #may() {
    const may = this.shell.user === null || this.shell.may("responder");
    this.allowed.hidden = !may;
    this.forbidden.hidden = may;
  }

  async #readSamples() {
    const { signal } = this.#leave;
    try {
      const { samples, missing } = await get("/samples", {}, { signal });
      replace(this.samples, this.#offer(samples), missing && h("p", { class: "quiet" }, missing));
    } catch (error) {
      if (error.name !== "AbortError") replace(this.samples, failure(error, { retry: () => this.#readSamples() }));
    }
  }

  #offer(samples) {
    const records = samples.filter((each) => each.kind !== "beats");
    const beats = samples.filter((each) => each.kind === "beats");
    const button = (each) =>
      h("button", { class: "button button-small", type: "button", onclick: (event) => this.#take(each, event.currentTarget) }, each.label);
    return [
      records.length > 0 && h("h3", { id: "samples-records" }, "Recordings of MIT-BIH: nothing was trained on them but the excerpt"),
      records.length > 0 && h("div", { class: "sample-buttons", role: "group", "aria-labelledby": "samples-records" }, records.map(button)),
      beats.length > 0 && h("h3", { id: "samples-beats" }, "Single beats of ECG5000"),
      beats.length > 0 && h("div", { class: "sample-buttons", role: "group", "aria-labelledby": "samples-beats" }, beats.map(button)),
    ];
  }

  async #take(sample, button) {
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    replace(this.results, loading(`Scoring ${sample.name}`));
    const { signal } = this.#leave;
    try {
      const answer = await post(`/samples/${encodeURIComponent(sample.name)}/score`, undefined, { signal, waitMs: SCORE_MS });
      if (sample.kind === "beats") this.#beats(answer, sample.label);
      else this.#scored(answer);
    } catch (error) {
      if (error.name !== "AbortError") this.#failed(error);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  /** One recording is shown at length; several side by side, each with its own result or error. */
  #scored({ results }) {
    const [only] = results;
    if (results.length === 1 && only.recording) {
      this.shell.navigate(recordingPath(only.recording));
      return;
    }
    replace(this.results, h("h2", {}, "Results"), h("ul", { class: "result-list" }, results.map(card)));
    this.results.scrollIntoView({ block: "nearest" });
    this.#readEarlier();
  }

  #beats(answer, name) {
    replace(this.results, new BeatResult(answer, name).node);
    this.results.scrollIntoView({ block: "start" });
  }

  #failed(error) {
    replace(this.results, failure(error));
    this.results.scrollIntoView({ block: "nearest" });
  }

  async #readEarlier() {
    try {
      const { recordings } = await get("/recordings", {}, { signal: this.#leave.signal });
      this.earlierBox.hidden = recordings.length === 0;
      const row = (each) =>
        h("li", {}, verdictBadge(each.decision), h("a", { href: recordingPath(each.id) }, each.name), h("span", { class: "quiet" }, `${span(each.seconds)} · ${dateTime(each.created_ns / 1e6)}`));
      replace(this.earlier, recordings.map(row));
    } catch {
      this.earlierBox.hidden = true; // a list that is a convenience: its absence is told where it is needed
    }
  }
}

/** A decision by colour, shape and words. */
export function verdictBadge(decision) {
  const shapes = { abnormal: "medium", normal: "normal", unusable: "unusable" };
  return h("span", { class: `verdict-badge verdict-${decision}` }, icon(shapes[decision] ?? "information", 18), h("span", {}, verdictText(decision)));
}

function card(result) {
  if (result.error) {
    return h("li", { class: "card result failed" }, h("h3", {}, result.file), h("p", { role: "alert" }, result.error.detail));
  }
  return h(
    "li",
    { class: "card result" },
    h("h3", {}, h("a", { href: recordingPath(result.recording) }, result.file)),
    verdictBadge(result.aggregate.decision),
    h("p", {}, sureText(result.aggregate)),
    h("p", { class: "quiet" }, `${span(result.seconds)} of ${result.leads.join(", ")}, judged on ${judgedOn(result)}, ${result.fs_hz} Hz`),
    remarksOf(result),
  );
}
