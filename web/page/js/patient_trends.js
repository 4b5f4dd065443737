// A patient's last hour: fetched once, then kept up to date by what comes.

import { get, nanoseconds } from "./api.js";
import { HOUR_MS, TrendData } from "./trend_data.js";
import { Trends } from "./trends.js";

const EVENTS_EVERY_MS = 5000;

export class PatientTrends {
  data = new TrendData();
  #patient;
  #trends;
  #waiting = 0;
  #nowMs = NaN;
  #leave = new AbortController();

  constructor(patient, jump) {
    this.#patient = patient;
    this.#trends = new Trends(this.data, jump);
    this.node = this.#trends.node;
  }

  close() {
    this.#leave.abort();
    clearTimeout(this.#waiting);
  }

  resize() {
    this.#trends.resize(this.node.clientWidth);
  }

  recolour() {
    this.#trends.recolour();
  }

  draw(nowMs, frame) {
    this.#nowMs = nowMs;
    this.#trends.draw(nowMs, frame);
  }

  put(verdict) {
    this.data.put(verdict);
    if (verdict.decision === "abnormal") this.stale();
  }

  /** What has happened has changed: look again, soon. */
  stale() {
    this.#waiting ||= setTimeout(() => {
      this.#waiting = 0;
      this.#events();
    }, EVENTS_EVERY_MS);
  }

  async fetch(nowMs) {
    this.#nowMs = nowMs;
    this.#events();
    try {
      this.data.putAll(await get(this.#path("trends"), this.#hour(), { signal: this.#leave.signal }));
    } catch {
      // Then it begins with what comes.
    }
  }

  async #events() {
    try {
      const query = { ...this.#hour(), limit: 1000 };
      this.data.putEvents(await get(this.#path("events"), query, { signal: this.#leave.signal }));
    } catch {
      if (!this.#leave.signal.aborted) this.stale();
    }
  }

  #path(what) {
    return `/patients/${encodeURIComponent(this.#patient)}/${what}`;
  }

  #hour() {
    return { from_ns: nanoseconds(this.#nowMs - HOUR_MS), to_ns: nanoseconds(this.#nowMs + 60_000) };
  }
}
