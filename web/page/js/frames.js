// The binary frame of live samples; its table stands in web/live/frames.py. No DOM here.

const VERSION = 1;
const HOLE = 1;
const ANEW = 2;
const HEAD_BYTES = 48;
const LEAD_BYTES = 9;

/** Where no sample was taken. */
export const MISSING = -32768;

const text = new TextDecoder();

/**
 * The frames of a message, one after the other.
 *
 * Each: `patient`, `hole` and `anew`, `fsHz`, `startMs` (by the device's clock), `startIndex` (running, at fsHz), `sentMs`
 * (wall time at which the samples went to Kafka, 0 where unknown), `leads` (`{name, gain, baseline}`: units per mV, and
 * the value of 0 mV), `count` samples of each lead, and `values`: all leads of the first, all of the second, ...
 *
 * Throws a RangeError on bytes that are no frames.
 */
export function* parse(message) {
  let at = 0;
  while (at < message.byteLength) {
    const [frame, size] = first(message, at);
    yield frame;
    at += size;
  }
}

function first(message, at) {
  const view = new DataView(message, at);
  const version = view.getUint8(0);
  if (version !== VERSION) throw new RangeError(`version ${version} of the frame is not ${VERSION}: reload the page`);
  const flags = view.getUint8(1);
  const patientBytes = view.getUint8(2);
  const leadCount = view.getUint8(3);
  const size = view.getUint32(4, true);
  const count = view.getUint32(40, true);
  const values = view.getUint32(44, true);
  if (size % 8 || size < HEAD_BYTES || values + 2 * count * leadCount > size || at + size > message.byteLength) {
    throw new RangeError(`a frame of ${size} bytes in ${message.byteLength - at}: it is cut off`);
  }
  let place = HEAD_BYTES;
  const patient = text.decode(new Uint8Array(message, at + place, patientBytes));
  place += patientBytes;
  const leads = [];
  for (let lead = 0; lead < leadCount; lead++) {
    const nameBytes = view.getUint8(place + 8);
    leads.push({
      name: text.decode(new Uint8Array(message, at + place + LEAD_BYTES, nameBytes)),
      gain: view.getFloat32(place, true),
      baseline: view.getInt32(place + 4, true),
    });
    place += LEAD_BYTES + nameBytes;
  }
  const frame = {
    patient,
    hole: (flags & HOLE) !== 0,
    anew: (flags & ANEW) !== 0,
    fsHz: view.getFloat64(8, true),
    startMs: view.getFloat64(16, true),
    startIndex: view.getFloat64(24, true),
    sentMs: view.getFloat64(32, true),
    leads,
    count,
    values: new Int16Array(message, at + values, count * leadCount),
  };
  return [frame, size];
}
