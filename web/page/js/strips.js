// Strips of alarms: fetched once each, kept while the desk is open.
//
// A strip is made once the stream has come five seconds past the alarm's start. Who asks earlier is told that there is
// none: so nobody asks before.

import { get } from "./api.js";
import { miniature } from "./strip_svg.js";

const KEPT = 300;
const MADE_AFTER_NS = 6.5e9; // of the patient's time, past the start
const NOT_LATER_MS = 35_000; // a silent patient's strip is made of what there is
const POLL_MS = 500;
const AGAIN_MS = 3000;
const TRIES = 4;

/** The strips that were asked for lately. */
export class Strips {
  #kept = new Map(); // promises by alarm id
  #live;
  #signal;

  /** `live` knows how far streams have come; `signal` ends all waiting. */
  constructor(live, signal) {
    this.#live = live;
    this.#signal = signal;
  }

  /**
   * The strip of an alarm, once it is there: `{start_ms, fs_hz, leads, gain, baseline, samples, beats, windows}`.
   * Rejects with a Problem.
   */
  of(alarm) {
    const known = this.#kept.get(alarm.id);
    if (known) return known;
    const asked = this.#fetch(alarm);
    this.#kept.set(alarm.id, asked);
    asked.catch(() => this.#kept.delete(alarm.id)); // it may be there later
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return asked;
  }

  async #fetch(alarm) {
    const began = performance.now();
    const made = () => {
      const patient = this.#live.patients.get(alarm.patient);
      return !patient || !(patient.last_sample_ns < alarm.onset_ns + MADE_AFTER_NS);
    };
    while (!made() && performance.now() - began < NOT_LATER_MS) await this.#wait(POLL_MS);
    for (let left = TRIES - 1; ; left--) {
      try {
        return inMs(await get("/alarms/strip", { id: alarm.id, format: "json" }, { signal: this.#signal }));
      } catch (error) {
        if (error.status !== 404 || left === 0) throw error;
      }
      await this.#wait(AGAIN_MS);
    }
  }

  #wait(ms) {
    return new Promise((resolve, reject) => {
      const left = () => {
        clearTimeout(timer);
        reject(this.#signal.reason);
      };
      const timer = setTimeout(() => {
        this.#signal.removeEventListener("abort", left);
        resolve();
      }, ms);
      this.#signal.addEventListener("abort", left, { once: true });
    });
  }

  /** It, small, for a list; null where there is none. */
  async miniature(alarm) {
    try {
      return miniature(await this.of(alarm));
    } catch {
      return null;
    }
  }
}

function inMs(strip) {
  return { ...strip, start_ms: strip.start_ns / 1e6 };
}
