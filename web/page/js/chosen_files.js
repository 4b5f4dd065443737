// The files that somebody chose, put together to recordings: `.hea` and `.dat` belong together. No DOM here.

const ALONE = new Set(["edf", "rec", "csv", "tsv", "txt", "npy", "zip", "json"]);
const UNSAID = new Set(["csv", "tsv", "txt", "npy"]); // may not tell rate, leads or unit
const BEATS = new Set(["csv", "tsv", "txt", "npy", "json"]); // may hold single beats

const kindOf = (name) => (name.includes(".") ? name.split(".").pop().toLowerCase() : "");
const stemOf = (name) => name.replace(/\.[^.]*$/, "");

/**
 * What the files are: `[{name, files, bytes, problem}]`, one a recording; `problem` says why it cannot be scored.
 */
export function recordings(files) {
  const found = new Map();
  for (const file of files) {
    const kind = kindOf(file.name);
    const paired = kind === "hea" || kind === "dat" || kind === "atr";
    const key = paired ? `wfdb ${stemOf(file.name)}` : file.name;
    if (!found.has(key)) found.set(key, { name: paired ? stemOf(file.name) : file.name, paired, files: [], bytes: 0 });
    const one = found.get(key);
    one.files.push(file);
    one.bytes += file.size;
  }
  return [...found.values()].map((one) => ({ ...one, problem: problemOf(one) }));
}

function problemOf({ name, paired, files, bytes }) {
  const kinds = files.map((file) => kindOf(file.name));
  if (paired && !kinds.includes("hea")) return `${name}.dat needs its header: add ${name}.hea`;
  if (paired && !kinds.includes("dat")) return `${name}.hea needs its samples: add ${name}.dat`;
  if (!paired && !ALONE.has(kinds[0])) return `${name} is of no kind that is read: .hea with .dat, .edf, .csv, .npy or .zip`;
  if (bytes === 0) return `${name} is empty`;
  return null;
}

/** Whether rate, leads and unit may have to be told. */
export const mayNotSay = (files) => [...files].some((file) => UNSAID.has(kindOf(file.name)));

/** Whether they may hold single beats. */
export const mayBeBeats = (files) => files.length > 0 && [...files].every((file) => BEATS.has(kindOf(file.name)));

/** 12 kB, 3.4 MB. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
