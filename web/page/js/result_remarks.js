// Remarks on a scored recording: what was left out of its file, or read otherwise than it says.

import { h } from "./dom.js";

/** A list of them; false where there is nothing to remark. */
export function remarksOf({ remarks }) {
  return remarks?.length > 0 && h("ul", { class: "remarks quiet" }, remarks.map((each) => h("li", {}, each)));
}
