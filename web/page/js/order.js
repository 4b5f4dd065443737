// The order of the ward: what needs somebody first comes first, and nothing moves without need. No DOM here.

export const STATES = ["high", "medium", "low", "unusable", "silent", "information", "normal"];

function rank(summary) {
  const at = STATES.indexOf(summary.state);
  const answered = summary.alarm?.state === "acknowledged" ? 0.5 : 0;
  return (at < 0 ? STATES.length : at) + answered;
}

const byName = new Intl.Collator("en", { numeric: true });

/** Patients' ids by urgency; those alike by name, as people count: bed-2 before bed-10. */
export function byUrgency(summaries) {
  return [...summaries]
    .sort((one, other) => rank(one) - rank(other) || byName.compare(one.patient, other.patient))
    .map((summary) => summary.patient);
}

/** How many patients are in each state that there is, most urgent first: `[state, count]`. */
export function counts(summaries) {
  const found = new Map();
  for (const { state } of summaries) found.set(state, (found.get(state) ?? 0) + 1);
  return STATES.filter((state) => found.has(state)).map((state) => [state, found.get(state)]);
}

/** Whether a patient is meant by what was typed and by the states chosen (none: all). */
export function wanted(summary, typed, states) {
  const found = summary.patient.toLowerCase().includes(typed.trim().toLowerCase());
  return found && (states.size === 0 || states.has(summary.state));
}
