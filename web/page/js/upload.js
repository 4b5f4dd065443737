// Upload: a recording is scored and reported.

import { h } from "./dom.js";

export const title = (route) => (route.name === "recording" ? "Recording" : "Upload");

export function mount(root, shell, route) {
  root.append(h("h1", {}, title(route)));
}
