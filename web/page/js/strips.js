// Strips of alarms: fetched once each, kept while the desk is open.

import { get } from "./api.js";
import { miniature } from "./strip_svg.js";

const KEPT = 300;

/** The strips that were asked for lately. */
export class Strips {
  #kept = new Map(); // promises by alarm id

  /** The strip of an alarm: `{start_ms, fs_hz, leads, gain, baseline, samples}`. Rejects with a Problem. */
  of(alarm) {
    const known = this.#kept.get(alarm.id);
    if (known) return known;
    const asked = get("/alarms/strip", { id: alarm.id, format: "json" }).then(inMs);
    this.#kept.set(alarm.id, asked);
    asked.catch(() => this.#kept.delete(alarm.id)); // it may be there later
    if (this.#kept.size > KEPT) this.#kept.delete(this.#kept.keys().next().value);
    return asked;
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
