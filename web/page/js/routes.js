// Which address shows what. No DOM here.

const ROUTES = [
  ["ward", /^\/$/, []],
  ["patient", /^\/patients\/([^/]+)$/, ["patient"]],
  ["desk", /^\/alarms$/, []],
  ["upload", /^\/upload$/, []],
  ["recording", /^\/recordings\/([^/]+)$/, ["recording"]],
  ["signin", /^\/signin$/, []],
];

/** The route of an address: `{name, params, query}`; name is "missing" where there is none. */
export function match(pathname, search = "") {
  const query = Object.fromEntries(new URLSearchParams(search));
  for (const [name, pattern, names] of ROUTES) {
    const found = pattern.exec(pathname);
    if (found) {
      try {
        const params = Object.fromEntries(names.map((each, at) => [each, decodeURIComponent(found[at + 1])]));
        return { name, params, query };
      } catch {
        break; // a stray % in the address
      }
    }
  }
  return { name: "missing", params: {}, query };
}

/** The address of a patient, and of a moment (ms) of theirs. */
export function patientPath(patient, ms = null) {
  const path = `/patients/${encodeURIComponent(patient)}`;
  return ms === null ? path : `${path}?t=${encodeURIComponent(new Date(ms).toISOString())}`;
}
