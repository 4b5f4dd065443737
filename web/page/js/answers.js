// Answering alarms: a command is asked for, and done only when the alert service says so on the topic.

import { call } from "./api.js";

const DONE = {
  acknowledge: (alarm) => alarm.acknowledged_by !== null || alarm.state === "inactive",
  silence: (alarm) => alarm.silenced_until_ns !== null || alarm.state === "inactive",
  unsilence: (alarm) => alarm.silenced_until_ns === null,
};
const SHOW_FAILURE_MS = 15_000;

/** Commands under way. Tells "change" with the alarm's id as `detail`. */
export class Answers extends EventTarget {
  #asked = new Map(); // action by alarm id
  #failed = new Map(); // words by alarm id
  #leave = new AbortController();

  constructor(shell) {
    super();
    this.shell = shell;
    const seen = ({ detail: alarm }) => alarm && this.#seen(alarm);
    shell.live.addEventListener("alarms", seen, { signal: this.#leave.signal });
  }

  /** No more is told; what was asked for goes on. */
  close() {
    this.#leave.abort();
  }

  /** What is asked for about an alarm and not answered yet; null when nothing. */
  asked(id) {
    return this.#asked.get(id) ?? null;
  }

  /** Why the last command about an alarm did not work; null when none failed lately. */
  failed(id) {
    return this.#failed.get(id) ?? null;
  }

  /** Ask for an action on one alarm; `minutes` for a silence. */
  async ask(alarm, action, minutes = null) {
    if (this.#asked.has(alarm.id)) return;
    this.#failed.delete(alarm.id);
    this.#asked.set(alarm.id, action);
    this.#change(alarm.id);
    const body = { action, alert: alarm.id };
    if (minutes !== null) body.minutes = minutes;
    try {
      for (const alarm of await this.#send(body)) this.shell.live.receive(alarm);
    } catch (error) {
      if (this.#asked.has(alarm.id)) this.#fail(alarm.id, error.message);
    }
    if (this.#asked.delete(alarm.id)) this.#change(alarm.id);
  }

  /** Silence all of a patient's alarms, or let them sound again. */
  async askAll(patient, action, minutes = null) {
    const body = { action, patient };
    if (minutes !== null) body.minutes = minutes;
    for (const alarm of await this.#send(body)) this.shell.live.receive(alarm);
  }

  async #send(body) {
    const answer = await call("/alert-commands", { method: "POST", query: { wait: true }, body });
    return answer.alarms ?? [];
  }

  #seen(alarm) {
    const action = this.#asked.get(alarm.id);
    if (action === undefined || !DONE[action](alarm)) return;
    this.#asked.delete(alarm.id);
    this.#change(alarm.id);
  }

  #fail(id, message) {
    this.#failed.set(id, message);
    setTimeout(() => {
      this.#failed.delete(id);
      this.#change(id);
    }, SHOW_FAILURE_MS);
    this.shell.toast(message, { kind: "failed" });
  }

  #change(id) {
    this.dispatchEvent(new CustomEvent("change", { detail: id }));
  }
}
