// A trace that sweeps as on a bedside monitor: from left to right, over what was there a screen ago. It draws what is
// new and nothing else, and allocates nothing while it does. No DOM here but the canvas it is given.

/** How far ahead of the head the old trace is erased, CSS px. */
const GAP_PX = 14;

/**
 * Draws the leads of a ring on a canvas.
 *
 * Lanes are `{lead, zeroPx, pxPerMv, colour}`; lengths in CSS px, multiplied by `density` (device px in a CSS px).
 */
export class Sweep {
  #context;
  #width = 0;
  #height = 0;
  #density = 1;
  #pxPerSample = 1; // device px
  #lanes = [];
  #linePx = 1.5;
  #drawn = NaN; // the last index that is on the canvas
  #erased;

  /** `erased(x, width)` is told what is erased (CSS px), for what else is drawn along with the trace. */
  constructor(canvas, erased = null) {
    this.canvas = canvas;
    this.#context = canvas.getContext("2d");
    this.#erased = erased;
  }

  /** Lay the canvas out; all is drawn anew. */
  layout({ width, height, density, pxPerSample, lanes, linePx = 1.5 }) {
    this.#density = density;
    this.#width = Math.round(width * density);
    this.#height = Math.round(height * density);
    this.#pxPerSample = pxPerSample * density;
    this.#lanes = lanes;
    this.#linePx = linePx;
    if (this.canvas.width !== this.#width) this.canvas.width = this.#width;
    if (this.canvas.height !== this.#height) this.canvas.height = this.#height;
    this.#drawn = NaN;
  }

  /** Draw all anew with the next frame. */
  forget() {
    this.#drawn = NaN;
  }

  /** How many samples the width holds. */
  get span() {
    return this.#width / this.#pxPerSample;
  }

  /** Where a sample lies, CSS px. */
  x(index) {
    return this.#x(index) / this.#density;
  }

  /** How often the head has come round. */
  turn(index) {
    return Math.floor(index / this.span);
  }

  /** The oldest sample that is still there when the head is at `head`. */
  oldest(head) {
    return Math.ceil(head - this.span + (GAP_PX * this.#density) / this.#pxPerSample);
  }

  /** Draw up to a sample (a fraction is cut off); whether all was drawn anew. */
  draw(ring, head) {
    const to = Math.min(Math.floor(head), ring.end - 1);
    if (this.#width === 0 || this.#lanes.length === 0 || ring.fsHz === 0 || to < ring.start) return false;
    const gap = GAP_PX * this.#density;
    let from = this.#drawn;
    const anew = !(from > this.oldest(to)) || to < from;
    if (anew) {
      this.#clear(0, this.#width);
      from = Math.max(ring.start, this.oldest(to));
    } else if (to === from) {
      return false;
    } else {
      this.#erase(Math.floor(this.#x(from) + gap), Math.ceil((to - from) * this.#pxPerSample) + 2);
    }
    this.#drawn = to;
    for (const lane of this.#lanes) this.#line(ring, lane, from, to);
    return anew;
  }

  #x(index) {
    const span = this.span;
    return (index - Math.floor(index / span) * span) * this.#pxPerSample;
  }

  #erase(at, length) {
    const start = at % this.#width;
    this.#clear(start, length);
    if (start + length > this.#width) this.#clear(0, start + length - this.#width);
  }

  #clear(x, width) {
    this.#context.clearRect(x, 0, width, this.#height);
    this.#erased?.(x / this.#density, width / this.#density);
  }

  #line(ring, lane, from, to) {
    const context = this.#context;
    const density = this.#density;
    const last = this.#height - 1;
    context.strokeStyle = lane.colour;
    context.lineWidth = this.#linePx * density;
    context.lineJoin = "round";
    context.beginPath();
    let down = false; // the pen
    let before = -1;
    for (let index = from; index <= to; index++) {
      const mv = ring.mv(index, lane.lead);
      const x = this.#x(index);
      if (mv !== mv) {
        down = false; // missing: a hole in the trace
      } else {
        const y = Math.min(Math.max((lane.zeroPx - mv * lane.pxPerMv) * density, 1), last);
        if (down && x > before) context.lineTo(x, y);
        else context.moveTo(x, y);
        down = true;
      }
      before = x;
    }
    context.stroke();
  }
}
