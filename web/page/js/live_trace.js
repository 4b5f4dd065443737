// One patient's samples as they come and as they scroll. No DOM here.

import { Playout } from "./playout.js";
import { Ring } from "./ring.js";

const QUIET_MS = 5000; // a device sends a message every second or more often

export class LiveTrace {
  /** Whether what was drawn is no longer right, as the stream began anew or the head has jumped. */
  jumped = false;
  #playout = new Playout();
  #takenMs = NaN; // wall time at which sample 0 was taken, by the newest message
  #chunkMs = 0;
  #heard;

  /** Keep at least so many seconds. */
  constructor(seconds, now) {
    this.ring = new Ring(seconds);
    this.#heard = now;
  }

  /** Whether nothing has come for a while: what is shown is no longer how the patient is. */
  quiet(now) {
    return now - this.#heard > QUIET_MS;
  }

  /** A frame has come, at `now` (as of requestAnimationFrame). */
  put(frame, now) {
    const anew = this.ring.put(frame);
    const { end, fsHz } = this.ring;
    if (anew || frame.sentMs === 0) {
      // A look back is shown at once; what is live goes on from there.
      this.#playout.begin(end, fsHz, now);
      this.jumped = true;
    } else {
      this.#playout.arrived(end, fsHz, now);
    }
    if (frame.sentMs > 0) {
      this.#heard = now;
      this.#takenMs = frame.sentMs - (end * 1000) / fsHz;
      this.#chunkMs = (frame.count * 1000) / fsHz;
    }
  }

  /** Move the head to `now`. */
  step(now) {
    if (this.#playout.step(now)) this.jumped = true;
  }

  /** The index up to which it is shown; a fraction. */
  get head() {
    return this.#playout.head;
  }

  /** Time of the head by the device's clock, ms; NaN before the first sample. */
  get headMs() {
    return this.ring.fsHz ? this.ring.msOf(this.head) : NaN;
  }

  /** How old the sample at the head is at a wall time (ms), less the length of the message that brought it. */
  ageMs(wallMs) {
    return wallMs - (this.#takenMs + (this.head * 1000) / this.ring.fsHz) - this.#chunkMs;
  }
}
