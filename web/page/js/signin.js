// Who is there? With a token, or with the organisation's own sign-in.

import { Problem, address, get, post, session } from "./api.js";
import { h, replace } from "./dom.js";
import { failure, loading } from "./states.js";

export const title = () => "Sign in";

// What the service says when somebody comes back from the organisation's sign-in without a session.
const FAILURES = {
  provider: "Your organisation's sign-in cannot be reached. Try again later.",
  refused: "Your organisation's sign-in did not confirm who you are. Sign in again.",
  role: "You are signed in, but may not use ecgstream. Ask whoever runs it for a role.",
};

export function mount(root, shell, route) {
  const next = ownPath(route.query.next);
  const box = h("section", { class: "signin" });
  root.append(box);
  const heading = () => [
    h("img", { src: "/assets/icon.svg", alt: "", width: 48, height: 48 }),
    h("h1", {}, "Sign in to ecgstream"),
  ];
  const done = () => {
    session.dispatchEvent(new Event("signed-in"));
    shell.navigate(next, { replace: true });
  };
  const load = async () => {
    replace(box, heading(), loading("Looking how to sign in"));
    try {
      const { auth, name } = await get("/session");
      if (auth === "off" || name) done();
      else replace(box, heading(), failed(route.query.failed), ways(auth, next, done));
    } catch (error) {
      replace(box, heading(), failure(error, { retry: load }));
    }
  };
  load();
}

function failed(reason) {
  return Object.hasOwn(FAILURES, reason ?? "") ? h("p", { class: "field-error", role: "alert" }, FAILURES[reason]) : [];
}

function ways(auth, next, done) {
  const found = [];
  if (auth === "oidc" || auth === "both") {
    const href = address("/session/oidc/login", { next });
    found.push(h("a", { class: "button button-main", href }, "Sign in with your organisation"));
  }
  if (auth === "both") found.push(h("p", { class: "or" }, "or"));
  if (auth === "token" || auth === "both") found.push(tokenForm(done));
  return found;
}

function tokenForm(done) {
  const input = h("input", {
    id: "token",
    name: "token",
    type: "password",
    autocomplete: "current-password",
    required: true,
    spellcheck: "false",
    "aria-describedby": "token-help token-error",
  });
  const button = h("button", { class: "button button-main", type: "submit" }, "Sign in");
  const error = h("p", { id: "token-error", class: "field-error", role: "alert" });
  const form = h(
    "form",
    { class: "fields" },
    h("label", { for: "token" }, "Access token"),
    input,
    h("p", { id: "token-help", class: "quiet" }, "Whoever runs this service has given you one."),
    error,
    button,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    error.textContent = "";
    try {
      await post("/session", { token: input.value });
      done();
    } catch (problem) {
      error.textContent = problem instanceof Problem && problem.status === 401 ? "This token is not known here." : problem.message;
      input.focus();
      input.select();
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

/** Where to go afterwards: an address of this page and no other. */
function ownPath(text) {
  if (!text?.startsWith("/")) return "/";
  const there = new URL(text, location.origin);
  const own = there.origin === location.origin && there.pathname !== "/signin";
  return own ? there.pathname + there.search : "/";
}
