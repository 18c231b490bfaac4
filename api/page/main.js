// Who looks at whom, which view, which theme; each view lives in a file of its own.

import { claims, get, useToken } from "./asking.js";
import { Day } from "./day.js";
import { Operator } from "./operator.js";
import { Trending } from "./trending.js";
import { byId } from "./words.js";

const kept = sessionStorage;
const views = { day: new Day(leave), trending: new Trending(leave), operator: new Operator(leave) };
let shown = null;

/** What a link may bring: #user=…&token=…; the token leaves the address bar at once. */
function fromAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const name of ["token", "user", "view"]) if (said.get(name)) kept.setItem(name, said.get(name));
  if (said.get("token")) {
    said.delete("token");
    history.replaceState(null, "", said.size ? `#${said}` : location.pathname);
  }
}

function enter() {
  const token = kept.getItem("token");
  byId("sign-in").hidden = Boolean(token);
  byId("leave").hidden = document.querySelector("[role=tablist]").hidden = !token;
  if (!token) return signedOut();
  useToken(token);
  const who = claims(token);
  const role = who.role ?? "user";
  byId("tab-operator").hidden = role !== "admin";
  views.day.of(kept.getItem("user") || who.sub || "", role !== "user");
  const wanted = kept.getItem("view");
  show(wanted && !byId(`tab-${wanted}`)?.hidden && views[wanted] ? wanted : "day");
}

function signedOut() {
  if (shown) views[shown].hide();
  shown = null;
  for (const name of Object.keys(views)) byId(`view-${name}`).hidden = true;
  byId("live").textContent = "signed out";
  byId("live").dataset.state = "off";
  document.querySelector("#sign-in input").focus();
}

/** Called by a view whose token does not count (any more), and by the button. */
function leave(why = "") {
  kept.removeItem("token");
  const wrong = document.querySelector("#sign-in .wrong");
  wrong.textContent = why;
  wrong.hidden = !why;
  enter();
}

function show(name) {
  if (shown) views[shown].hide();
  shown = name;
  kept.setItem("view", name);
  for (const each of Object.keys(views)) {
    byId(`view-${each}`).hidden = each !== name;
    const tab = byId(`tab-${each}`);
    tab.setAttribute("aria-selected", String(each === name));
    tab.tabIndex = each === name ? 0 : -1;
  }
  views[name].show();
}

// Tabs as the ARIA practices have them: arrows move, Home and End jump.
const tabs = () => [...document.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
document.querySelector("[role=tablist]").addEventListener("click", (event) => {
  const tab = event.target.closest("[role=tab]");
  if (tab) show(tab.id.slice(4));
});
document.querySelector("[role=tablist]").addEventListener("keydown", (event) => {
  const all = tabs(), at = all.indexOf(document.activeElement);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = all[(to + all.length) % all.length];
  next.focus();
  show(next.id.slice(4));
});

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target), token = form.get("token").trim(), user = form.get("user").trim();
  useToken(token);
  try {
    await get("v1/trending/videos?limit=1");
  } catch (why) {
    if (why.status === 401) return leave(why.message);
  }
  kept.setItem("token", token);
  kept.setItem("user", user || claims(token).sub || "");
  event.target.reset();
  enter();
});
byId("leave").addEventListener("click", () => leave());

const THEMES = ["system", "light", "dark"];
function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = { system: "◐", light: "☀", dark: "☾" }[name];
  byId("theme").ariaLabel = byId("theme").title = `Theme: ${name}`;
  localStorage.setItem("theme", name);
  for (const view of Object.values(views)) view.repaint();
}
byId("theme").addEventListener("click", () =>
  theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme(document.documentElement.dataset.theme));

document.addEventListener("visibilitychange", () => {  // nobody looks: nobody is asked
  if (!shown) return;
  if (document.hidden) views[shown].hide();
  else views[shown].show();
});
addEventListener("hashchange", () => {
  fromAddress();
  enter();
});

theme(THEMES.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "system");
fromAddress();
enter();
