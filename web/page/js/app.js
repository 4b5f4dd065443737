// The page starts here: who is signed in, the shell around the views, and which view an address shows.

import { Problem, get, session } from "./api.js";
import { replace, h } from "./dom.js";
import { match } from "./routes.js";
import { Live } from "./stream.js";
import { Shell } from "./shell.js";
import { failure } from "./states.js";

// A view is a module with `title(route)` and `mount(root, shell, route)`; what mount returns is called on leaving.
const VIEWS = {
  ward: () => import("./ward.js"),
  patient: () => import("./patient.js"),
  desk: () => import("./desk.js"),
  upload: () => import("./upload.js"),
  recording: () => import("./upload.js"),
  signin: () => import("./signin.js"),
  missing: () => import("./missing.js"),
};

const main = document.getElementById("main");
const live = new Live();
const shell = new Shell(live, navigate);
let leave = null;
let turn = 0; // a slow view that comes after the next one is not shown

function navigate(path, { replace: instead = false } = {}) {
  if (path === location.pathname + location.search) return;
  if (instead) history.replaceState(null, "", path);
  else history.pushState(null, "", path);
  show({ focus: true });
}

async function show({ focus }) {
  const mine = ++turn;
  const route = match(location.pathname, location.search);
  let view;
  try {
    view = await VIEWS[route.name]();
  } catch {
    view = null;
  }
  if (mine !== turn) return;
  leave?.();
  leave = null;
  replace(main);
  main.dataset.view = route.name;
  shell.arrived(route);
  if (view === null) {
    const what = new Problem(0, "Not loaded", "this part of the page could not be loaded: is the server running?");
    replace(main, failure(what, { retry: () => show({ focus: true }) }));
    return;
  }
  const title = view.title(route);
  document.title = `${title} · ecgstream`;
  leave = view.mount(main, shell, route) ?? null;
  if (focus) {
    // Whoever cannot see that the view has changed hears its heading.
    const heading = main.querySelector("h1") ?? main;
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function followLinks(event) {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/") || link.getAttribute("href").startsWith("#")) return;
  event.preventDefault();
  navigate(link.pathname + link.search);
}

function signIn() {
  live.stop();
  if (location.pathname === "/signin") return;
  const next = location.pathname + location.search;
  navigate(`/signin?next=${encodeURIComponent(next)}`, { replace: true });
}

/** Find out who is signed in, then let the live data come; from the start, and after signing in. */
async function begin() {
  try {
    shell.me(await get("/me"));
    live.start();
  } catch (error) {
    if (error.status === 401) return;
    live.start(); // it tells of what is wrong, and goes on trying
  }
}

document.addEventListener("click", followLinks);
addEventListener("popstate", () => show({ focus: true }));
session.addEventListener("signed-out", signIn);
session.addEventListener("signed-in", begin);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
if (location.pathname !== "/signin") begin();
show({ focus: false });
