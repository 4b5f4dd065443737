// What is known of alarms, from a list and from the stream, in any order. No DOM here.

/** Most urgent first, by the server's rank; of those alike the newest. */
export function byUrgency(one, other) {
  return one.rank - other.rank || other.onset_ns - one.onset_ns || (one.id < other.id ? -1 : 1);
}

/** Open alarms by id. An alarm's messages are numbered: one that is older than what is known changes nothing. */
export class OpenAlarms {
  #open = new Map();
  #ended = new Map(); // sequence by id: a list that was read before the end must not bring an alarm back

  /** Put in what was told; whether it changed anything. */
  put(alarm) {
    const known = this.#open.get(alarm.id)?.sequence ?? this.#ended.get(alarm.id) ?? -1;
    if (alarm.sequence <= known) return false;
    if (alarm.state === "inactive") {
      this.#open.delete(alarm.id);
      this.#ended.set(alarm.id, alarm.sequence);
      if (this.#ended.size > 2000) this.#ended.delete(this.#ended.keys().next().value);
    } else {
      this.#open.set(alarm.id, alarm);
      this.#ended.delete(alarm.id);
    }
    return true;
  }

  /** Put in the whole list of what is open now: what was known and is not in it has ended meanwhile. */
  putAll(alarms) {
    const listed = new Set(alarms.map((alarm) => alarm.id));
    for (const id of [...this.#open.keys()]) if (!listed.has(id)) this.#open.delete(id);
    for (const alarm of alarms) this.put(alarm);
  }

  get(id) {
    return this.#open.get(id) ?? null;
  }

  /** All of them, or one patient's, most urgent first. */
  list(patient = null) {
    const found = [];
    for (const alarm of this.#open.values()) if (patient === null || alarm.patient === patient) found.push(alarm);
    return found.sort(byUrgency);
  }
}
