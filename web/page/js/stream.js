// What comes by itself: patients, alarms and verdicts by server-sent events, which resume where they were cut.

import { address, get } from "./api.js";
import { OpenAlarms } from "./alarms.js";
import { Backoff } from "./backoff.js";

const READY_MS = 10_000;
const ALARMS_A_PAGE = 500;

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
  #readiness = 0;
  #wanted = false;

  start() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#open();
    this.#readiness = setInterval(() => this.#ready(), READY_MS);
    this.dispatchEvent(new Event("start"));
  }

  /** Nobody is signed in: nothing is asked for until `start`. */
  stop() {
    this.#wanted = false;
    this.#close();
    clearInterval(this.#readiness);
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
        act(event.data ? JSON.parse(event.data) : null);
      });
    on("hello", () => this.#hello());
    on("alarm", (alarm) => this.told(alarm));
    on("verdict", (verdict) => this.#tell("verdict", verdict));
    on("patients", (list) => this.#summaries(list));
    events.addEventListener("error", () => this.#cut());
  }

  async #hello() {
    this.#backoff.reset();
    this.#become("live");
    const since = this.#alarms.ids();
    const events = this.#events;
    try {
      const { patients } = await get("/patients");
      if (events !== this.#events) return;
      this.patients = new Map(patients.map((each) => [each.patient, each]));
      this.#tell("patients");
      const alarms = await allOpen();
      if (events !== this.#events) return;
      this.#alarms.putAll(alarms, { since });
      this.#tell("alarms");
      this.caughtUp = true;
    } catch (error) {
      this.trouble = error.message;
      this.#cut();
    }
  }

  #summaries(list) {
    for (const each of list) this.patients.set(each.patient, each);
    this.#tell("patients");
  }

  #cut() {
    if (!this.#wanted) return;
    this.#close();
    this.#become(this.state === "connecting" ? "connecting" : "lost");
    this.#again = setTimeout(() => this.#open(), this.#backoff.next());
    this.#ready();
  }

  #close() {
    clearTimeout(this.#again);
    this.#events?.close();
    this.#events = null;
  }

  /** Ask how the server is: an event stream that is cut does not say why. */
  async #ready() {
    try {
      await get("/ready", {}, { waitMs: 5000 });
      this.trouble = "";
      if (this.state === "lagging" && this.#events) this.#become("live");
    } catch (error) {
      if (!this.#wanted || error.status === 401) return;
      this.trouble = error.message;
      this.#become(error.status === 503 ? "lagging" : "lost");
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

async function allOpen() {
  const found = [];
  let after = null;
  do {
    const page = await get("/alarms", { open: true, limit: ALARMS_A_PAGE, after });
    found.push(...page.alarms);
    after = page.next;
  } while (after);
  return found;
}
