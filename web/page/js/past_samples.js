// Samples of the last hour, fetched where somebody looks and kept while they look around. No DOM here.

import { call, nanoseconds } from "./api.js";
import { parse } from "./frames.js";

export const BLOCK_MS = 20_000;
const KEPT = 180; // blocks: an hour; two leads of it at 360 Hz are 5 MB
const AT_ONCE = 3;
const OVER_MS = 20; // more than a sample: so that the trace is whole from block to block

/** One patient's samples by blocks of time. Tells "change" when some have come or failed. */
export class PastSamples extends EventTarget {
  #patient;
  #blocks = new Map(); // in the order of their last use
  #waiting = [];
  #running = 0;
  #leave = new AbortController();

  constructor(patient) {
    super();
    this.#patient = patient;
  }

  close() {
    this.#leave.abort();
  }

  /**
   * The blocks of a range: `{fromMs, toMs, state, stretches, problem}`; state is "asked", "there" or "failed". Those
   * that are not there are fetched. `nowMs`: up to where the recording has come.
   */
  between(fromMs, toMs, nowMs, filtered) {
    const found = [];
    this.#waiting = this.#waiting.filter((block) => block.filtered !== filtered); // what nobody looks at any more
    for (let number = Math.floor(fromMs / BLOCK_MS); number * BLOCK_MS < Math.min(toMs, nowMs); number++) {
      const key = `${number} ${filtered}`;
      let block = this.#blocks.get(key);
      if (!block || (block.state === "there" && block.openMs !== null && block.openMs + 2000 < Math.min(toMs, nowMs))) {
        const stretches = block?.stretches ?? [];
        block = { key, fromMs: number * BLOCK_MS, toMs: (number + 1) * BLOCK_MS, filtered, state: "asked", stretches };
      }
      this.#blocks.delete(key);
      this.#blocks.set(key, block);
      if (block.state === "asked" && !block.running) this.#waiting.push(block);
      found.push(block);
    }
    while (this.#blocks.size > KEPT) this.#blocks.delete(this.#blocks.keys().next().value);
    this.#run(nowMs);
    return found;
  }

  #run(nowMs) {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      const block = this.#waiting.pop(); // the newest wish first
      if (block.running || block.state !== "asked" || !this.#blocks.has(block.key)) continue;
      block.running = true;
      this.#running++;
      this.#fetch(block, nowMs).finally(() => {
        block.running = false;
        this.#running--;
        this.#run(nowMs);
        if (!this.#leave.signal.aborted) this.dispatchEvent(new Event("change"));
      });
    }
  }

  async #fetch(block, nowMs) {
    const path = `/patients/${encodeURIComponent(this.#patient)}/samples`;
    const query = { from_ns: nanoseconds(block.fromMs), to_ns: nanoseconds(block.toMs + OVER_MS), filtered: block.filtered };
    try {
      const message = await call(path, { query, as: "buffer", signal: this.#leave.signal });
      block.stretches = [...parse(message)];
      block.openMs = block.toMs > nowMs - 1000 ? nowMs : null; // its end had not come yet
      block.state = "there";
    } catch (error) {
      block.state = "failed";
      block.problem = error;
      if (!this.#leave.signal.aborted) setTimeout(() => this.#blocks.delete(block.key), 5000); // then it is tried again
    }
  }
}
