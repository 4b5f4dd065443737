// What comes by itself: patients, alarms and verdicts by server-sent events, which resume where they were cut.

import { Problem, address, get } from "./api.js";
import { OpenAlarms } from "./alarms.js";
import { Backoff } from "./backoff.js";

const ASK_MS = 5000;

/**
 * The live data. Events:
 *
 * "state"     `state` has changed: "connecting", "live", "lagging" (Kafka does not answer), "lost", "off"
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
    this.#tell("patients");
    this.#tell("alarms");
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
  told(alarm) {
    if (this.#alarms.put(alarm)) this.#tell("alarms", alarm);
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
    on("alarm", (alarm) => this.told(alarm));
    on("verdict", (verdict) => this.#tell("verdict", verdict));
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
    this.#tell("patients");
    this.#tell("alarms");
  }

  #line(kafka) {
    this.trouble = kafka === "connected" ? "" : "Kafka does not answer: what comes next is waited for";
    this.#become(kafka === "connected" ? "live" : "lagging");
  }

  #summaries(list) {
    for (const each of list) this.patients.set(each.patient, each);
    this.#tell("patients");
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
      this.trouble = error.message;
      this.#become(error instanceof Problem && error.status === 503 ? "lagging" : "lost");
    }
  }

  #become(state) {
    if (state === this.state) return;
    this.state = state;
    this.#tell("state");
  }

  #tell(name, detail = null) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
