// What was judged of a patient, by time: as it comes, and as it is fetched for a look back. No DOM here.

import { get, nanoseconds } from "./api.js";

const BLOCK_MS = 120_000;
const KEPT = 1500; // verdicts: two hours of 5-second windows

/** A verdict as the page draws it; times in ms. */
export function drawn(verdict) {
  return {
    id: verdict.id,
    startMs: verdict.start_ns / 1e6,
    endMs: verdict.end_ns / 1e6,
    decision: verdict.decision,
    fused: verdict.fused,
    cnn: verdict.cnn,
    autoencoder: verdict.autoencoder,
    threshold: verdict.threshold,
    heartRate: verdict.heart_rate_bpm,
    lead: verdict.lead,
    reasons: verdict.reasons,
    flags: verdict.quality.flags,
    beats: verdict.beats.map((beat) => ({ ms: beat.t_ns / 1e6, kind: beat.class, confidence: beat.confidence })),
  };
}

/** The verdicts on one patient. Tells "change" when a look back has brought some. */
export class Verdicts extends EventTarget {
  #byStart = new Map();
  #blocks = new Map(); // state by number: "asked", "whole", "open" (its end had not come yet)
  #leave = new AbortController();

  /** The device that is shown, where several send: of the others no verdict is drawn on its trace. */
  device = null;

  constructor(patient) {
    super();
    this.patient = patient;
  }

  /** Whether a verdict is on what is shown. */
  wants(verdict) {
    return this.device === null || verdict.device === this.device;
  }

  close() {
    this.#leave.abort();
  }

  /** One that has just come. */
  put(verdict) {
    const one = drawn(verdict);
    if (verdict.corrected) this.#correct(verdict.corrected);
    this.#byStart.set(one.startMs, one);
    if (this.#byStart.size > KEPT) this.#forget();
    return one;
  }

  /** Those of which something lies in a range, oldest first. */
  between(fromMs, toMs) {
    const found = [];
    for (const one of this.#byStart.values()) if (one.endMs > fromMs && one.startMs < toMs) found.push(one);
    return found.sort((one, other) => one.startMs - other.startMs);
  }

  /** The one on a moment; null where there is none. */
  at(ms) {
    return this.between(ms, ms + 1)[0] ?? null;
  }

  /** Fetch what is not known yet of a range; `nowMs` is up to where the recording has come. */
  want(fromMs, toMs, nowMs) {
    for (let block = Math.floor(fromMs / BLOCK_MS); block * BLOCK_MS < Math.min(toMs, nowMs); block++) {
      const state = this.#blocks.get(block);
      if (state === undefined || (state === "open" && (block + 1) * BLOCK_MS < nowMs - 10_000)) this.#fetch(block, nowMs);
    }
  }

  async #fetch(block, nowMs) {
    this.#blocks.set(block, "asked");
    const from = block * BLOCK_MS;
    const query = { from_ns: nanoseconds(from), to_ns: nanoseconds(from + BLOCK_MS), limit: 200 };
    try {
      const path = `/patients/${encodeURIComponent(this.patient)}/verdicts`;
      const { verdicts } = await get(path, query, { signal: this.#leave.signal });
      for (const verdict of verdicts) if (this.wants(verdict)) this.put(verdict);
      this.#blocks.set(block, from + BLOCK_MS < nowMs - 10_000 ? "whole" : "open");
      this.dispatchEvent(new Event("change"));
    } catch {
      // Asked again with the next look; the trace itself says whether there is anything.
      if (!this.#leave.signal.aborted) setTimeout(() => this.#blocks.delete(block), 5000);
    }
  }

  /** Give the last beat of an earlier verdict its final class, now that the beat behind it is known. */
  #correct(beat) {
    const ms = beat.t_ns / 1e6;
    for (const one of this.between(ms, ms + 1)) for (const seen of one.beats) if (seen.ms === ms) Object.assign(seen, { kind: beat.class, confidence: beat.confidence });
  }

  #forget() {
    const oldest = [...this.#byStart.keys()].sort((one, other) => one - other).slice(0, KEPT / 4);
    for (const start of oldest) {
      this.#byStart.delete(start);
      this.#blocks.delete(Math.floor(start / BLOCK_MS));
    }
  }
}
