// ECG paper: how many pixels are a millimetre, a millisecond, a millivolt. No DOM here.

export const SPEEDS_MM_S = [6.25, 12.5, 25, 50];
export const GAINS_MM_MV = [2.5, 5, 10, 20];
export const PX_PER_MM = 96 / 25.4; // what CSS calls a millimetre; a screen's own may differ
const TOP_MM = 9; // above the leads: classes of beats, reasons
const FOOT_MM = 5; // below them: times

/** How a recording is laid on paper: `mmPerS`, `mmPerMv`, and the screen's own `pxPerMm`. */
export class Scale {
  constructor({ mmPerS = 25, mmPerMv = 10, pxPerMm = PX_PER_MM } = {}) {
    this.mmPerS = mmPerS;
    this.mmPerMv = mmPerMv;
    this.pxPerMm = pxPerMm;
  }

  get pxPerMs() {
    return (this.mmPerS * this.pxPerMm) / 1000;
  }

  get pxPerMv() {
    return this.mmPerMv * this.pxPerMm;
  }

  with(changes) {
    return new Scale({ ...this, ...changes });
  }

  /** The next faster (+1) or slower (-1) paper speed, as far as there is one. */
  faster(steps) {
    return this.with({ mmPerS: stepped(SPEEDS_MM_S, this.mmPerS, steps) });
  }

  /** The next higher or lower gain. */
  higher(steps) {
    return this.with({ mmPerMv: stepped(GAINS_MM_MV, this.mmPerMv, steps) });
  }

  /**
   * Where the leads lie: `{height, top, foot, lanes: [{top, middle, bottom}]}`, px.
   *
   * `room` is the height that there is for all of it; lanes are whole big squares, three to eight of them.
   */
  lanes(count, room) {
    const mm = (room / this.pxPerMm - TOP_MM - FOOT_MM) / Math.max(count, 1);
    const least = count > 3 ? 15 : this.mmPerMv > 10 ? 35 : 25;
    const each = Math.max(least, Math.min(40, Math.floor(mm / 5) * 5)) * this.pxPerMm;
    const top = TOP_MM * this.pxPerMm;
    const lanes = Array.from({ length: count }, (_, lane) => ({
      top: top + lane * each,
      middle: top + (lane + 0.5) * each,
      bottom: top + (lane + 1) * each,
    }));
    return { height: top + count * each + FOOT_MM * this.pxPerMm, top, foot: top + count * each, lanes };
  }
}

function stepped(list, value, steps) {
  const at = list.indexOf(value) + steps;
  return list[Math.min(Math.max(at, 0), list.length - 1)];
}

/** The middle of what values show, in mV, to a tenth: what a lane is centred on. Few outliers do not move it. */
export function middleOf(values) {
  const there = values.filter((value) => !Number.isNaN(value)).sort((one, other) => one - other);
  if (there.length === 0) return 0;
  const low = there[Math.floor(0.002 * (there.length - 1))];
  const high = there[Math.ceil(0.998 * (there.length - 1))];
  return Math.round(5 * (low + high)) / 10;
}
