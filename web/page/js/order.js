// The order of urgency: what needs somebody first comes first, and nothing moves without need. No DOM here.
//
// Patients and alarms are sorted by the rank that the server sends with them; what it sends without one, by priority.

export const PRIORITIES = ["high", "medium", "low", "information"]; // as ecg/urgency.py has them
export const SOUNDING = PRIORITIES.slice(0, 3);
export const PROMPT = new Set(PRIORITIES.slice(0, 2)); // somebody has to come at once, or soon

/** Sorts what has a priority, most urgent first. */
export function byPriority(one, other) {
  return PRIORITIES.indexOf(one.priority) - PRIORITIES.indexOf(other.priority);
}

const byName = new Intl.Collator("en", { numeric: true });

/** Patients' ids by urgency; those alike by name, as people count: bed-2 before bed-10. */
export function byUrgency(summaries) {
  return [...summaries]
    .sort((one, other) => one.rank - other.rank || byName.compare(one.patient, other.patient))
    .map((summary) => summary.patient);
}

/** How many patients are in each state that there is, most urgent first: `[state, count]`. */
export function counts(summaries) {
  const found = new Map();
  const ranked = [...summaries].sort((one, other) => one.rank - other.rank);
  for (const { state } of ranked) found.set(state, (found.get(state) ?? 0) + 1);
  return [...found];
}

/** Whether a patient is meant by what was typed and by the states chosen (none: all). */
export function wanted(summary, typed, states) {
  const found = summary.patient.toLowerCase().includes(typed.trim().toLowerCase());
  return found && (states.size === 0 || states.has(summary.state));
}
