// Alarms that have ended, page by page from the alarm history.

import { get } from "./api.js";

const A_PAGE = 50;

export class PastAlarms {
  #found = new Map(); // by id, the newest onset first
  #next = null;
  more = false;

  clear() {
    this.#found.clear();
    this.#next = null;
    this.more = false;
  }

  get(id) {
    return this.#found.get(id) ?? null;
  }

  list() {
    return [...this.#found.values()];
  }

  /** The next page of what `query` names. */
  async fetch(query, { signal }) {
    const answer = await get("/alarms", { ...query, state: "inactive", limit: A_PAGE, after: this.#next }, { signal });
    for (const alarm of answer.alarms) this.#found.set(alarm.id, alarm);
    this.#next = answer.next;
    this.more = answer.next !== null;
  }

  /** One alarm, wherever it stands. */
  async one(id) {
    const { alarm } = await get("/alarms/life", { id });
    return alarm;
  }
}
