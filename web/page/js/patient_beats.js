// The beats on the paper in a look back, and what people decided on each.

import { get, nanoseconds, post } from "./api.js";
import { h, replace } from "./dom.js";
import { BEATS, exactTime } from "./format.js";

const MOST = 60; // beats that are listed
const AROUND_MS = 60_000; // fetched on both sides, so that a step to the side asks nothing
const UNDECIDED = "";

export class PatientBeats {
  #shell;
  #patient;
  #reviews = new Map(); // by the beat's time, whole ms
  #fetched = null; // {fromMs, toMs}
  #asking = false;
  #listed = null;
  #last = null;
  #leave = new AbortController();

  constructor(shell, patient) {
    this.#shell = shell;
    this.#patient = patient;
    this.list = h("ul", { class: "beat-list" });
    this.quiet = h("p", { class: "quiet" });
    this.node = h("section", { class: "card beats-card", "aria-label": "Beats" }, h("h2", {}, "Beats"), this.quiet, this.list);
  }

  close() {
    this.#leave.abort();
  }

  /** Show the beats of a range; live they pass by too fast to be decided on. */
  show({ live, fromMs, toMs, verdicts }) {
    this.#last = { live, fromMs, toMs, verdicts };
    const beats = live ? [] : verdicts.flatMap((verdict) => verdict.beats).filter(({ ms }) => ms >= fromMs && ms <= toMs);
    const few = beats.slice(0, MOST);
    this.quiet.textContent = live ? "Stop the paper to accept, reject or reclass beats." : sentence(few, beats);
    if (!live) this.#want(fromMs, toMs);
    const listed = JSON.stringify(few.map((beat) => [key(beat.ms), beat.kind, this.#reviews.get(key(beat.ms))]));
    if (listed === this.#listed) return; // nothing that somebody is choosing in is made anew
    this.#listed = listed;
    replace(this.list, few.map((beat) => this.#row(beat)));
  }

  #row({ ms, kind }) {
    const review = this.#reviews.get(key(ms));
    const time = exactTime(ms);
    const choose = h(
      "select",
      { "aria-label": `Beat at ${time}, ${BEATS[kind] ?? "not classed"}`, disabled: !this.#shell.may("responder") },
      [[UNDECIDED, "Not reviewed"], ["accept", "Accept"], ["reject", "Reject"], ...Object.keys(BEATS).map((one) => [one, `Class ${one}`])].map(
        ([value, text]) => h("option", { value, selected: value === chosen(review) }, text),
      ),
    );
    choose.addEventListener("change", () => this.#decide(ms, kind, choose));
    const who = review ? h("span", { class: "quiet" }, review.by) : null;
    return h("li", {}, h("b", { class: `beat beat-${(kind ?? "q").toLowerCase()}` }, kind ?? "?"), h("span", { class: "number" }, time), choose, who);
  }

  async #decide(ms, kind, choose) {
    const { value } = choose;
    const decision = { [UNDECIDED]: "withdraw", accept: "accept", reject: "reject" }[value] ?? "reclass";
    const body = { t_ns: nanoseconds(ms), decision, class: decision === "reclass" ? value : null, detected: kind };
    choose.disabled = true;
    try {
      this.#put(await post(this.#path, body, { signal: this.#leave.signal }));
    } catch (error) {
      if (this.#leave.signal.aborted) return;
      this.#shell.toast(error.message, { kind: "failed" });
    }
    this.#listed = null;
    this.show(this.#last);
  }

  #put(review) {
    const at = key(review.t_ns / 1e6);
    if (review.decision === "withdraw") this.#reviews.delete(at);
    else this.#reviews.set(at, review);
  }

  get #path() {
    return `/patients/${encodeURIComponent(this.#patient)}/beat-reviews`;
  }

  async #want(fromMs, toMs) {
    const there = this.#fetched !== null && fromMs >= this.#fetched.fromMs && toMs <= this.#fetched.toMs;
    if (there || this.#asking) return;
    this.#asking = true;
    const range = { fromMs: fromMs - AROUND_MS, toMs: toMs + AROUND_MS };
    try {
      const query = { from_ns: nanoseconds(Math.max(0, range.fromMs)), to_ns: nanoseconds(range.toMs) };
      const { reviews } = await get(this.#path, query, { signal: this.#leave.signal });
      for (const review of reviews) this.#put(review);
      this.#fetched = range;
    } catch (error) {
      if (this.#leave.signal.aborted) return;
      this.#fetched = range; // not asked again at each step: the next range does
      this.#shell.toast(error.message, { kind: "failed" });
    } finally {
      this.#asking = false;
    }
    this.show(this.#last);
  }
}

/** A number of JavaScript does not hold nanoseconds since 1970: beats are told apart by the millisecond. */
function key(ms) {
  return Math.round(ms);
}

function chosen(review) {
  if (!review) return UNDECIDED;
  return review.decision === "reclass" ? review.class : review.decision;
}

function sentence(few, beats) {
  if (beats.length === 0) return "No beat was found here.";
  return few.length < beats.length ? `The first ${few.length} of ${beats.length} on the paper.` : "Those on the paper; what is decided is kept.";
}
