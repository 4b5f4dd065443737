// What comes by itself: patients, alarms and verdicts by server-sent events, which resume where they were cut.

import { Problem, address, get } from "./api.js";
import { OpenAlarms } from "./alarms.js";
import { Backoff } from "./backoff.js";

const ASK_MS = 5000;
const FORGET_MS = 3_600_000;
// How the server stands with Kafka, as the states of the page and in words.
const LINES = { connected: "live", catching_up: "catching", waiting: "lagging" };
const TROUBLES = {
  catching_up: "the server reads what it has missed",
  waiting: "Kafka does not answer: waiting for it",
};

/**
 * The live data. Events:
 *
 * "state"     `state` has changed: "connecting", "live", "catching" (the server reads what it has missed), "lagging"
 *             (Kafka does not answer), "lost", "off"
 * "patients"  `patients` has changed
 * "alarms"    the open alarms have changed; `detail` is the alarm that was told, null for a whole list
 * "verdict"   `detail` is a verdict
 * "user"      who is signed in has changed
 */
export class Live extends EventTarget {
  state = "connecting";
  trouble = "";
  patients = new Map(); // summaries by id
  caughtUp = false; // the open alarms are known
  #alarms = new OpenAlarms();
  #events = null;
  #last = "";
  #backoff = new Backoff();
  #again = 0;
  #wanted = false;

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#open();
    this.dispatchEvent(new Event("start"));
  }

  /** Nobody is signed in: nothing is asked for until `start`. */
  stop() {
    this.#wanted = false;
    this.#close();
    this.patients.clear();
    this.#alarms = new OpenAlarms();
    this.#last = "";
    this.caughtUp = false;
    this.#become("off");
    this.dispatchEvent(new Event("stop"));
    this.#emit("patients");
    this.#emit("alarms");
  }

  /** Whether the data is asked for. */
  get wanted() {
    return this.#wanted;
  }

  /** Open alarms, most urgent first; of one patient when named. */
  openAlarms(patient = null) {
    return this.#alarms.list(patient);
  }

  alarm(id) {
    return this.#alarms.get(id);
  }

  /** An alarm as an answer told it: no need to wait for the stream. */
  receive(alarm) {
    if (this.#alarms.put(alarm)) this.#emit("alarms", alarm);
  }

  #open() {
    clearTimeout(this.#again);
    const events = new EventSource(address("/events", { after: this.#last || null }));
    this.#events = events;
    const on = (name, act) =>
      events.addEventListener(name, (event) => {
        if (event.lastEventId) this.#last = event.lastEventId;
        act(JSON.parse(event.data));
      });
    on("hello", (all) => this.#hello(all));
    on("status", ({ kafka }) => this.#line(kafka));
    on("alarm", (alarm) => this.receive(alarm));
    on("verdict", (verdict) => this.#emit("verdict", verdict));
    on("patients", (list) => this.#summaries(list));
    events.addEventListener("error", () => this.#cut());
  }

  /** How everything stands, at the beginning and after each break. */
  #hello({ kafka, alarms, patients }) {
    this.#backoff.reset();
    this.#alarms.putAll(alarms);
    this.patients = new Map(patients.map((each) => [each.patient, each]));
    this.caughtUp = true;
    this.#line(kafka);
    this.#emit("patients");
    this.#emit("alarms");
  }

  #line(kafka) {
    this.trouble = TROUBLES[kafka] ?? "";
    this.#become(LINES[kafka] ?? "live");
  }

  #summaries(list) {
    for (const each of list) this.patients.set(each.patient, each);
    this.#forget();
    this.#emit("patients");
  }

  /** Who was heard an hour before who was heard last is no longer on the ward, as the server has it. */
  #forget() {
    let newest = 0;
    for (const { last_wall_ms } of this.patients.values()) newest = Math.max(newest, last_wall_ms ?? 0);
    for (const [id, { last_wall_ms, open_alarms }] of this.patients) {
      if (last_wall_ms !== null && newest - last_wall_ms > FORGET_MS && open_alarms === 0) this.patients.delete(id);
    }
  }

  #cut() {
    if (!this.#wanted) return;
    this.#close();
    this.#again = setTimeout(() => this.#open(), this.#backoff.next());
    this.#ask();
  }

  #close() {
    clearTimeout(this.#again);
    this.#events?.close();
    this.#events = null;
  }

  /** An event stream that is cut does not say why: ask. */
  async #ask() {
    try {
      await get("/me", {}, { waitMs: ASK_MS }); // whose session has ended signs in again
      await get("/ready", {}, { waitMs: ASK_MS });
      if (this.state !== "live") this.#become("connecting");
    } catch (error) {
      if (!this.#wanted || error.status === 401) return;
      const there = error instanceof Problem && error.status === 503;
      const line = /catching up/.test(error.message) ? "catching_up" : "waiting";
      this.trouble = there ? TROUBLES[line] : error.message;
      this.#become(there ? LINES[line] : "lost");
    }
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#emit("state");
  }

  #emit(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
