// The last seconds of a patient's samples, in one typed array that is never made anew. No DOM here.

import { MISSING } from "./frames.js";

/**
 * Samples by their running index. `end` is one past the newest; of what lies before it, `capacity` samples are kept.
 * What never came is MISSING.
 */
export class Ring {
  fsHz = 0;
  leads = [];
  capacity = 0;
  end = 0;
  #values = new Int16Array(0);
  #mask = 0;
  #start = 0; // of what was put in since the stream began here
  #anchorMs = 0; // time of index 0

  /** Room for at least so many seconds. */
  constructor(seconds) {
    this.seconds = seconds;
  }

  /** Put a frame in; true when the ring began anew: what was drawn from it is no longer in it. */
  put(frame) {
    const start = Math.round(frame.startIndex);
    const same = this.fsHz === frame.fsHz && this.leads.length === frame.leads.length;
    const anew = !same || frame.anew || start < this.end - this.capacity || start > this.end + this.capacity;
    if (anew) this.#begin(frame, start);
    this.leads = frame.leads;
    this.#anchorMs = frame.startMs - (start * 1000) / frame.fsHz;
    const width = this.leads.length;
    for (let index = this.end; index < start; index++) {
      const at = (index & this.#mask) * width;
      for (let lead = 0; lead < width; lead++) this.#values[at + lead] = MISSING;
    }
    const from = frame.values;
    for (let sample = 0; sample < frame.count; sample++) {
      const at = ((start + sample) & this.#mask) * width;
      for (let lead = 0; lead < width; lead++) this.#values[at + lead] = from[sample * width + lead];
    }
    this.end = Math.max(this.end, start + frame.count);
    return anew;
  }

  /** The oldest index that is kept. */
  get start() {
    return Math.max(this.#start, this.end - this.capacity);
  }

  /** A sample of a lead, in mV; NaN where there is none. */
  mv(index, lead) {
    if (index < this.start || index >= this.end) return NaN;
    const value = this.#values[(index & this.#mask) * this.leads.length + lead];
    return value === MISSING ? NaN : (value - this.leads[lead].baseline) / this.leads[lead].gain;
  }

  /** When the sample of an index (may be a fraction) was taken, ms by the device's clock. */
  msOf(index) {
    return this.#anchorMs + (index * 1000) / this.fsHz;
  }

  /** The index (a fraction) of a time. */
  indexOf(ms) {
    return ((ms - this.#anchorMs) * this.fsHz) / 1000;
  }

  #begin(frame, start) {
    const wanted = 2 ** Math.ceil(Math.log2(this.seconds * frame.fsHz));
    if (wanted * frame.leads.length !== this.#values.length) this.#values = new Int16Array(wanted * frame.leads.length);
    this.capacity = wanted;
    this.#mask = wanted - 1;
    this.#values.fill(MISSING);
    this.fsHz = frame.fsHz;
    this.#start = start;
    this.end = start;
  }
}
