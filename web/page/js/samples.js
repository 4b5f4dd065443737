// Samples as they come: one WebSocket, reopened when it breaks, that carries what the shown view watches.

import { parse } from "./frames.js";
import { Backoff } from "./backoff.js";
import { loop } from "./loop.js";

const PATH = "/api/v1/live";
const QUIET_MS = 20_000; // a connection that has brought nothing for so long is looked at with suspicion

/**
 * The samples of what is watched.
 *
 * `watch` is `{patients, leads, fs_hz}`: ids, null for all; "first" or "all"; at least so many Hz, null for the device's
 * own rate. `onFrame` gets each frame (frames.js). `close` ends it.
 */
export class Samples {
  dropped = 0; // samples that the server left out because this page was too slow
  #live;
  #onFrame;
  #watch;
  #socket = null;
  #backoff = new Backoff();
  #again = 0;
  #closed = false;
  #heard = 0;
  #watchdog = 0;
  #online = () => this.#reopen();

  constructor(live, watch, onFrame) {
    this.#live = live;
    this.#watch = watch;
    this.#onFrame = onFrame;
    this.#watchdog = setInterval(() => this.#check(), QUIET_MS / 4);
    addEventListener("online", this.#online);
    live.addEventListener("start", this.#online);
    if (live.wanted) this.#open();
  }

  /** Watch something else. */
  watch(watch) {
    this.#watch = watch;
    if (this.#socket?.readyState === WebSocket.OPEN) this.#ask();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#again);
    clearInterval(this.#watchdog);
    removeEventListener("online", this.#online);
    this.#live.removeEventListener("start", this.#online);
    this.#socket?.close();
  }

  #open() {
    clearTimeout(this.#again);
    if (this.#closed) return;
    const socket = new WebSocket(PATH);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      this.#backoff.reset();
      this.#heard = performance.now();
      this.#ask();
    });
    socket.addEventListener("message", ({ data }) => {
      this.#heard = performance.now();
      if (typeof data === "string") this.#noted(JSON.parse(data));
      else for (const frame of parse(data)) this.#came(frame);
    });
    socket.addEventListener("close", () => {
      if (socket !== this.#socket || this.#closed) return;
      this.#socket = null;
      if (this.#live.wanted) this.#again = setTimeout(() => this.#open(), this.#backoff.next());
    });
    this.#socket = socket;
  }

  #came(frame) {
    if (frame.sentMs > 0) loop.arrival.add(Date.now() - frame.sentMs);
    this.#onFrame(frame);
  }

  #reopen() {
    if (this.#closed || this.#socket?.readyState === WebSocket.OPEN) return;
    const old = this.#socket;
    this.#socket = null;
    old?.close();
    this.#open();
  }

  /** A connection can die without a word, as when a laptop slept: then it is opened anew. */
  #check() {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (!open || performance.now() - this.#heard < QUIET_MS) return;
    this.#heard = performance.now();
    const old = this.#socket;
    this.#socket = null;
    old.close();
    this.#open();
  }

  #ask() {
    this.#socket.send(JSON.stringify({ watch: this.#watch }));
  }

  #noted(message) {
    if (message.type === "dropped") this.dropped += message.samples;
    else if (message.type === "error") console.error(`samples: ${message.detail}`);
  }
}
