// What alarms sound like: bursts of pulses after IEC 60601-1-8:2006 (table 3 and 4, annex F). No DOM, no audio here.
//
// Nobody has measured them against the standard: the loudspeaker is part of what it asks for.

const C4 = 261.6;
const E4 = 329.6;
const G4 = 392.0;
const C5 = 523.3;

// Pulse: how long it sounds; gap: between pulses; both s. The melody says what an alarm is about: the heart rises,
// the equipment stays on one tone.
const KINDS = {
  high: {
    pulse: 0.14,
    gap: 0.11,
    every: 5,
    melody: { physiological: [C4, E4, G4, G4, C5], technical: [C4, C4, C4, C4, C4] },
  },
  medium: {
    pulse: 0.2,
    gap: 0.2,
    every: 12,
    melody: { physiological: [C4, E4, G4], technical: [C4, C4, C4] },
  },
  low: {
    pulse: 0.2,
    gap: 0.25,
    every: Infinity, // once: it asks for no answer
    melody: { physiological: [E4, C4], technical: [E4, C4] },
  },
};

const AFTER_THIRD = 2; // of a high burst: the pause after the third pulse, in gaps and a pulse
const HALVES_S = 0.7; // between the two fives of a high burst

/** Whether a priority sounds at all. */
export const loud = (priority) => priority in KINDS;

/** Seconds from the start of one burst to the next; of a low one there is no next. */
export const every = (priority) => KINDS[priority].every;

/** The pulses of a burst: `[{at, for, hz}]`, seconds from its start. */
export function burst(priority, kind = "physiological") {
  const { pulse, gap, melody } = KINDS[priority];
  const tones = melody[kind] ?? melody.physiological;
  if (priority !== "high") return tones.map((hz, at) => ({ at: at * (pulse + gap), for: pulse, hz }));
  const starts = [0, 1, 2].map((at) => at * (pulse + gap));
  starts.push(starts[2] + pulse + AFTER_THIRD * gap + pulse);
  starts.push(starts[3] + pulse + gap);
  const half = starts.map((at, number) => ({ at, for: pulse, hz: tones[number] }));
  const again = starts[4] + pulse + HALVES_S;
  return [...half, ...half.map((each) => ({ ...each, at: each.at + again }))];
}
