// Samples come in bursts; a trace scrolls evenly. This decides how far it may scroll. No DOM here.

const LEAST_MARGIN_MS = 40;
const MOST_MARGIN_MS = 250;
const SPREADS = 2; // the margin covers so many mean deviations of the arrivals
const PRIOR_MS = 1000; // of real time are taken as seen when a stream begins
const PAUSE_MS = 2000; // of silence count at most
const FORGET_MS = 8000; // of which the pace is known
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
    this.#advance(now); // how far it is now, not at the last frame: what the page takes is no delay of the line
    const passed = now - this.#at;
    const came = ((end - this.#end) * 1000) / fsHz;
    const reserve = ((this.#end - this.head) * 1000) / fsHz;
    this.#at = now;
    this.#end = end;
    const counted = Math.min(passed, came + PAUSE_MS); // a pause is not a pace
    const left = Math.exp(-counted / FORGET_MS);
    this.#came = this.#came * left + Math.max(came, 0);
    this.#passed = this.#passed * left + counted;
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
    if (!this.#begun) return false;
    const behind = ((this.#end - this.head) * 1000) / this.#fsHz;
    if (behind > FAR_BEHIND_MS * Math.max(1, this.pace)) {
      this.head = this.#end - (this.marginMs * this.#fsHz) / 1000;
      this.#low = NaN;
      this.#stepped = now;
      return true;
    }
    this.#advance(now);
    return false;
  }

  #advance(now) {
    // The time of a frame may lie before that of a message which came while it was waited for.
    const passed = Math.max(now - this.#stepped, 0);
    this.#stepped = Math.max(now, this.#stepped);
    const surplus = Number.isNaN(this.#low) ? 0 : (this.#low - this.marginMs) / 1000;
    const pull = Math.min(Math.max(PULL_PER_S * surplus, -MOST_PULL), MOST_PULL);
    this.head = Math.min(this.head + (passed * this.pace * (1 + pull) * this.#fsHz) / 1000, this.#end);
  }
}
