// One animation loop for all that moves, and what it achieves: `window.ecgstream.figures`.

const KEPT = 512;
const CALM_REST_MS = 240; // for whoever has asked their system for less motion: the trace goes on four times a second

/** The last values of something measured; nothing is allocated while it is. */
class Measured {
  #values = new Float64Array(KEPT);
  #count = 0;

  add(value) {
    this.#values[this.#count++ % KEPT] = value;
  }

  /** A quantile of them, null where there are none. */
  quantile(share) {
    const there = Math.min(this.#count, KEPT);
    if (there === 0) return null;
    const sorted = this.#values.slice(0, there).sort();
    return sorted[Math.min(there - 1, Math.floor(share * there))];
  }

  /** Their mean, null where there are none. */
  mean() {
    const there = Math.min(this.#count, KEPT);
    let sum = 0;
    for (let at = 0; at < there; at++) sum += this.#values[at];
    return there ? sum / there : null;
  }

  clear() {
    this.#count = 0;
  }
}

export class Loop {
  /** Wall time from when a sample was taken to when it is drawn, ms, less the length of the message it came in. */
  age = new Measured();
  /** Wall time from when a message was handed to Kafka to when it is here, ms. */
  arrival = new Measured();
  #intervals = new Measured();
  #work = new Measured();
  #drawing = new Set();
  #asked = 0;
  #resting = 0;
  #last = 0;
  #frames = 0;
  #motion;

  /** `motion` is the media query that matches where less motion is wanted. */
  constructor(motion = matchMedia("(prefers-reduced-motion: reduce)")) {
    this.#motion = motion;
  }

  /** Whether less motion is wanted. */
  get calm() {
    return this.#motion.matches;
  }

  /** Call `draw(now)` for each frame of the screen, far more seldom where less motion is wanted; returns what ends that. */
  add(draw) {
    this.#drawing.add(draw);
    if (this.#drawing.size === 1) {
      this.#last = 0;
      this.#ask();
    }
    return () => {
      this.#drawing.delete(draw);
      if (this.#drawing.size > 0) return;
      cancelAnimationFrame(this.#asked);
      clearTimeout(this.#resting);
    };
  }

  /** What was achieved over the last frames. */
  figures() {
    const interval = this.#intervals.mean();
    return {
      frames: this.#frames,
      frames_per_s: interval && 1000 / interval,
      frame_ms: { p50: this.#intervals.quantile(0.5), p95: this.#intervals.quantile(0.95) },
      draw_ms: { p50: this.#work.quantile(0.5), p95: this.#work.quantile(0.95) },
      arrival_ms: { p50: this.arrival.quantile(0.5), p95: this.arrival.quantile(0.95) },
      sample_age_ms: { p50: this.age.quantile(0.5), p95: this.age.quantile(0.95) },
    };
  }

  /** Forget what was measured. */
  clear() {
    this.#frames = 0;
    this.age.clear();
    this.arrival.clear();
    this.#intervals.clear();
    this.#work.clear();
  }

  #ask = () => {
    this.#asked = requestAnimationFrame(this.#frame);
  };

  #frame = (now) => {
    if (this.calm) this.#resting = setTimeout(this.#ask, CALM_REST_MS);
    else this.#ask();
    // A hidden page is given no frames: that is no slow frame.
    if (this.#last && now - this.#last < 2000) this.#intervals.add(now - this.#last);
    this.#last = now;
    const begun = performance.now();
    for (const draw of this.#drawing) draw(now);
    this.#work.add(performance.now() - begun);
    this.#frames++;
  };
}

export const loop = new Loop();

globalThis.ecgstream = {
  get figures() {
    return loop.figures();
  },
  clear: () => loop.clear(),
};
