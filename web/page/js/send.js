// Sending files with their progress shown, which fetch cannot.

import { Problem, address, session } from "./api.js";

/**
 * Send a form. `progress` is called with the share that is sent, 0 to 1; at 1 the server works.
 *
 * Throws a Problem; an AbortError when `signal` says so.
 */
export function send(path, form, { query = {}, progress = () => {}, signal } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path, query));
    request.setRequestHeader("X-Ecgstream-Request", "1");
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    request.addEventListener("load", () => {
      const body = request.response ?? {};
      if (request.status >= 200 && request.status < 300) {
        resolve(body);
        return;
      }
      if (request.status === 401) session.dispatchEvent(new Event("signed-out"));
      const title = body.title || request.statusText || `Error ${request.status}`;
      reject(new Problem(request.status, title, body.detail || ""));
    });
    request.addEventListener("error", () => {
      // A server that refuses a body by its size may cut the line before the browser has read why.
      reject(new Problem(0, "No connection", "the files could not be sent: is `ecgstream web` running, and are they too large?"));
    });
    request.addEventListener("abort", () => reject(new DOMException("given up", "AbortError")));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
