// Samples come in bursts; a trace scrolls evenly. This decides how far it may scroll. No DOM here.

const LEAST_MARGIN_MS = 40;
const MOST_MARGIN_MS = 350;
const SPREADS = 3; // the margin covers so many mean deviations of the arrivals
const PRIOR_MS = 1000; // of real time are taken as seen when a stream begins
const PAUSE = 10; // slower than a tenth of real time is taken for a pause
const FORGET = 0.97; // share of what is known of the pace that an arrival leaves: about the last thirty count
const ADAPT = 0.08; // share of each arrival in what is known of the arrivals: about the last dozen count
const PULL_PER_S = 0.6; // how fast a surplus is made up for
const MOST_PULL = 0.35; // ... without the trace visibly running
const FAR_BEHIND_MS = 2500; // further behind than this, after a pause of the page, it jumps

/**
 * The head of a trace, as a running sample index with a fraction.
 *
 * `arrived` is told of each burst; `step` moves the head. It runs at the pace at which samples come, such that each burst
 * arrives `marginMs` before the head would have to stop; the margin grows and shrinks with how unevenly they come.
 */
export class Playout {
  head = 0;
  marginMs = 80;
  #end = 0;
  #fsHz = 0;
  #came = PRIOR_MS; // of recording, lately; ms
  #passed = PRIOR_MS; // on the wall meanwhile
  #low = NaN; // mean reserve at arrival, ms
  #spread = 15; // mean deviation from it, ms
  #at = 0; // of the last arrival, ms
  #stepped = 0;
  #begun = false;

  /** The stream began anew: nothing is known of it. */
  begin(end, fsHz, now) {
    this.#end = end;
    this.#fsHz = fsHz;
    this.#at = now;
    this.#stepped = now;
    this.#low = NaN;
    this.#came = PRIOR_MS;
    this.#passed = PRIOR_MS;
    this.head = end;
    this.#begun = true;
  }

  /** Samples up to `end` are there. `fsHz` is theirs, `now` in ms. */
  arrived(end, fsHz, now) {
    if (!this.#begun || fsHz !== this.#fsHz) {
      this.begin(end, fsHz, now);
      return;
    }
    const passed = now - this.#at;
    const came = ((end - this.#end) * 1000) / fsHz;
    const reserve = ((this.#end - this.head) * 1000) / fsHz;
    this.#at = now;
    this.#end = end;
    this.#came = this.#came * FORGET + Math.max(came, 0);
    this.#passed = this.#passed * FORGET + Math.min(passed, PAUSE * came + PRIOR_MS); // a pause is not a pace
    if (Number.isNaN(this.#low)) this.#low = reserve;
    this.#spread += ADAPT * (Math.abs(reserve - this.#low) - this.#spread);
    this.#low += 2 * ADAPT * (reserve - this.#low);
    this.marginMs = Math.min(Math.max(25 + SPREADS * this.#spread, LEAST_MARGIN_MS), MOST_MARGIN_MS);
  }

  /** Seconds of recording that come in a second on the wall. */
  get pace() {
    return this.#came / this.#passed;
  }

  /** Move the head to where it is at `now`; true when it jumped. */
  step(now) {
    const passed = now - this.#stepped;
    this.#stepped = now;
    if (!this.#begun) return false;
    const behind = ((this.#end - this.head) * 1000) / this.#fsHz;
    if (behind > FAR_BEHIND_MS * Math.max(1, this.pace)) {
      this.head = this.#end - (this.marginMs * this.#fsHz) / 1000;
      this.#low = NaN;
      return true;
    }
    const surplus = Number.isNaN(this.#low) ? 0 : (this.#low - this.marginMs) / 1000;
    const pull = Math.min(Math.max(PULL_PER_S * surplus, -MOST_PULL), MOST_PULL);
    this.head = Math.min(this.head + (passed * this.pace * (1 + pull) * this.#fsHz) / 1000, this.#end);
    return false;
  }
}
