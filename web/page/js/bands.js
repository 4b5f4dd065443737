// On a slow machine, each frame draws a band of the ward, so that all of it moves evenly instead of stumbling: what a
// frame costs is what lies between the topmost and the lowest tile it touches. No DOM here.

const MOST = 4;
const SLOW_MS = 24; // a mean frame slower than this is too slow: below 42 a second
const FAST_MS = 18;
const JUDGED_MS = 700; // what is judged together
const PATIENCE = 900; // frames without trouble until fewer bands are tried

/** How many bands there are, and whose turn it is. */
export class Bands {
  count = 1;
  turn = 0;
  #frames = 0;
  #sum = 0;
  #calm = 0;

  /** The next frame, so many ms after the last one. */
  next(interval) {
    this.turn = (this.turn + 1) % this.count;
    if (!(interval < 1000)) return; // the first frame, or the page was hidden
    this.#sum += interval;
    this.#calm++;
    this.#frames++;
    if (this.#sum < JUDGED_MS) return;
    const mean = this.#sum / this.#frames;
    this.#frames = 0;
    this.#sum = 0;
    if (mean > SLOW_MS) {
      this.count = Math.min(this.count + 1, MOST);
      this.#calm = 0;
    } else if (this.count > 1 && mean < FAST_MS && this.#calm >= PATIENCE) {
      this.count--;
      this.#calm = 0;
    }
  }

  /** Whether the tile at a place among so many is drawn in this frame. */
  has(place, among) {
    return Math.floor((place * this.count) / among) === this.turn;
  }
}
