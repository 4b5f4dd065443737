// The REST interface: one way to call it, one form of errors.

const PREFIX = "/api/v1";
const WAIT_MS = 20_000;

/** What went wrong, as the server tells it (problem+json), or as the network does: then `status` is 0. */
export class Problem extends Error {
  constructor(status, title, detail) {
    super(detail || title);
    this.name = "Problem";
    this.status = status;
    this.title = title;
  }
}

/** Tells "signed-out" when an answer says that nobody is signed in. */
export const session = new EventTarget();

/** The address of a route with its query; null and undefined values are left out. */
export function address(path, query = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) given.append(name, value);
  }
  const text = given.toString();
  return PREFIX + path + (text ? `?${text}` : "");
}

/** A time in ms as the decimal nanoseconds that the interface takes; a number could not hold them all. */
export function nanoseconds(ms) {
  return `${Math.round(ms)}000000`;
}

/**
 * Call a route.
 *
 * `body` is sent as JSON, or as it is when it is a FormData or Blob; `as` is "json", "buffer" or "none".
 * Throws a Problem.
 */
export async function call(path, { method = "GET", query, body, as = "json", signal, waitMs = WAIT_MS } = {}) {
  const headers = { "X-Ecgstream-Request": "1" };
  let sent;
  if (body instanceof FormData || body instanceof Blob) {
    sent = body;
  } else if (body !== undefined) {
    sent = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  if (as === "json") headers.Accept = "application/json";
  const late = AbortSignal.timeout(waitMs);
  let answer;
  try {
    answer = await fetch(address(path, query), {
      method,
      headers,
      body: sent,
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    if (!answer.ok) throw await problem(answer);
    if (as === "buffer") return await answer.arrayBuffer();
    if (as === "none" || answer.status === 204) return null;
    return await answer.json();
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") throw error;
    if (error.name === "TimeoutError") {
      throw new Problem(0, "No answer", `the server has not answered for ${waitMs / 1000} s`);
    }
    throw new Problem(0, "No connection", "the server cannot be reached: is `ecgstream web` running?");
  }
}

async function problem(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // A proxy between here and there may answer in its own way.
  }
  if (answer.status === 401) session.dispatchEvent(new Event("signed-out"));
  return new Problem(answer.status, body.title || answer.statusText || `Error ${answer.status}`, body.detail || "");
}

export const get = (path, query, options) => call(path, { query, ...options });
export const post = (path, body, options) => call(path, { method: "POST", body, ...options });
export const put = (path, body, options) => call(path, { method: "PUT", body, ...options });
export const remove = (path, options) => call(path, { method: "DELETE", as: "none", ...options });
