// The files that somebody chose, put together to recordings: `.hea` and `.dat` belong together. No DOM here.
//
// `known` is what the server tells of file formats:
// `{formats: [{name, suffixes, parts, companions, in_records, says_all}], archives, pictures, beats}`.

export const NOTHING_KNOWN = { formats: [], archives: [], pictures: [], beats: [] };

const kindOf = (name) => (name.includes(".") ? `.${name.split(".").pop().toLowerCase()}` : "");
const stemOf = (name) => name.replace(/\.[^.]*$/, "");
const kindsOf = ({ suffixes, parts, companions }) => [...suffixes, ...parts, ...companions];
const formatOf = (name, known) => known.formats.find((each) => kindsOf(each).includes(kindOf(name)));
/** The record that a file holds the samples of, such as a `.mat` beside its `.hea`; undefined for most files. */
const recordOf = (file, files, known) => {
  if (!formatOf(file.name, known)?.in_records) return undefined;
  const record = known.formats.find((each) => each.parts.length > 0);
  const header = record && `${stemOf(file.name)}${record.suffixes[0]}`.toLowerCase();
  return [...files].some((other) => other.name.toLowerCase() === header) ? record : undefined;
};
const usual = ({ suffixes, parts }) => [suffixes[0], ...parts].join(" with ");

/** The suffixes that may be chosen, as a file input takes them. */
export const accepted = (known) => [...new Set([...known.formats.flatMap(kindsOf), ...known.archives, ...known.pictures, ...known.beats])].join(",");

/** The formats in words: "WFDB (.hea with .dat), EDF (.edf), ..., pictures of paper ECGs (.png, ...), or a .zip of them". */
export const kindsText = (known) =>
  [
    ...known.formats.map((each) => `${each.name} (${usual(each)})`),
    ...(known.pictures.length > 0 ? [`pictures of paper ECGs (${known.pictures.slice(0, 4).join(", ")})`] : []),
    ...known.archives.map((each) => `or a ${each} of them`),
  ].join(", ");

/**
 * What the files are: `[{name, files, bytes, problem}]`, one a recording; `problem` says why it cannot be scored.
 */
export function recordings(files, known) {
  const found = new Map();
  for (const file of files) {
    const format = recordOf(file, files, known) ?? formatOf(file.name, known);
    const paired = format?.parts.length > 0;
    const key = paired ? `${format.name} ${stemOf(file.name)}` : file.name;
    if (!found.has(key)) found.set(key, { name: paired ? stemOf(file.name) : file.name, format, paired, files: [], bytes: 0 });
    const one = found.get(key);
    one.files.push(file);
    one.bytes += file.size;
  }
  return [...found.values()].map((one) => ({ ...one, problem: problemOf(one, known) }));
}

function problemOf({ name, format, paired, files, bytes }, known) {
  const kinds = files.map((file) => kindOf(file.name));
  if (paired) {
    const [main] = format.suffixes;
    const samples = known.formats.filter((each) => each.in_records).flatMap((each) => each.suffixes);
    const missing = kinds.some((kind) => samples.includes(kind)) ? null : format.parts.find((part) => !kinds.includes(part));
    if (!kinds.includes(main)) return `${name}${format.parts[0]} needs its header: add ${name}${main}`;
    if (missing) return `${name}${main} needs its samples: add ${name}${missing}`;
  }
  const others = [...known.archives, ...known.pictures, ...known.beats];
  if (!format && !others.includes(kinds[0])) return `${name} is not of a kind that is read: ${kindsText(known)}`;
  if (bytes === 0) return `${name} is empty`;
  return null;
}

/** Whether rate, leads and unit may have to be told. */
export const mayNotSay = (files, known) => [...files].some((file) => formatOf(file.name, known)?.says_all === false);

/** Whether they may hold single beats. */
export const mayBeBeats = (files, known) => files.length > 0 && [...files].every((file) => known.beats.includes(kindOf(file.name)));

/** 12 kB, 3.4 MB. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
