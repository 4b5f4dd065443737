// An address that shows nothing.

import { h } from "./dom.js";
import { empty } from "./states.js";

export const title = () => "Not found";

export function mount(root) {
  root.append(
    h("h1", { class: "unseen" }, "Not found"),
    empty("There is nothing at this address", h("p", {}, h("a", { href: "/" }, "To the ward"))),
  );
}
