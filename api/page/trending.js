// A trending list that moves, with the reason of each place.

import { get } from "./asking.js";
import { byId, el, number } from "./words.js";

const EVERY_MS = 3000;
const SHOWN = 20;
const still = matchMedia("(prefers-reduced-motion: reduce)");

export class Trending {
  constructor(leave) {
    this.leave = leave;
    this.places = new Map();
    this.pick = byId("trending-pick");
    this.pick.addEventListener("submit", (event) => event.preventDefault());
    this.pick.addEventListener("change", () => {
      this.places = new Map();
      byId("ranks").replaceChildren();
      this.look();
    });
  }

  show() {
    this.hide();
    this.look();
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  hide() {
    clearInterval(this.timer);
  }

  repaint() {}

  async look() {
    const { kind, region, window: span } = this.pick;
    if (!region.checkValidity()) return;
    const path = `v1/trending/${kind.value}?region=${encodeURIComponent(region.value || "all")}&window=${span.value}&limit=${SHOWN}&why=true`;
    try {
      this.draw(await get(path));
      byId("live").textContent = "live";
      byId("live").dataset.state = "live";
    } catch (why) {
      if (why.status === 401) return this.leave(why.message);
      byId("trending-about").textContent = why.message;
    }
  }

  draw(list) {
    const about = list.at
      ? `As of ${new Date(list.at).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" })}${list.stale_s === undefined ? "" : `; no store answers, ${list.stale_s} s old`}.`
      : "Nobody has watched anything here yet.";
    if (byId("trending-about").textContent !== about) byId("trending-about").textContent = about;
    const box = byId("ranks"), was = new Map([...box.children].map((each) => [each.dataset.id, each]));
    const before = new Map([...was].map(([id, each]) => [id, each.getBoundingClientRect().top]));
    const most = Math.max(1, ...list.items.map((item) => item.score));
    const made = list.items.map((item, at) => this.place(was.get(item.id) ?? el("li", { "data-id": item.id }), item, at + 1, most));
    box.replaceChildren(...made);
    if (!still.matches) for (const each of made) slide(each, before.get(each.dataset.id));
    this.places = new Map(list.items.map((item, at) => [item.id, at + 1]));
  }

  place(row, item, place, most) {
    const old = this.places.get(item.id), known = this.places.size > 0;
    if (known && old !== place) row.dataset.moved = old === undefined ? "new" : old > place ? `▲ from ${old}` : `▼ from ${old}`;
    const moved = row.dataset.moved ?? "";
    row.replaceChildren(
      el("b", { class: "rank" }, number(place)),
      el("span", { class: "id" }, item.id, item.creator ? el("span", { class: "quiet" }, ` by ${item.creator}`) : null),
      el("span", { class: `moved ${moved.startsWith("▼") ? "down" : "up"}` }, moved),
      el("span", { class: "score" }, number(item.score, 1)),
      el("span", { class: "meter", "aria-hidden": "true" }, width(el("i"), Math.max(0, item.score) / most)),
      el("span", { class: "quiet reason" }, reason(item)));
    return row;
  }
}

function width(bar, part) {
  bar.style.width = `${100 * part}%`;
  return bar;
}

function slide(row, from) {
  if (from === undefined) return void row.animate([{ opacity: 0 }, { opacity: 1 }], 400);
  const by = from - row.getBoundingClientRect().top;
  if (by) row.animate([{ transform: `translateY(${by}px)` }, { transform: "none" }], { duration: 450, easing: "ease-out" });
}

/** Why it is there: what was seen against what the same hours of the weeks before lead one to expect. */
function reason(item) {
  const times = item.expected > 0 ? item.observed / item.expected : null;
  const burst = times === null ? "nothing was expected of it" : times >= 1.05
    ? `${number(times, 1)} times what was expected` : "about as expected";
  const viewers = item.unique_viewers ?? item.views;
  const parts = [`${number(viewers)} ${viewers === 1 ? "viewer" : "viewers"}`, burst];
  if (item.reactions) parts.push(`reactions count ${number(item.reactions, 1)}`);
  if (item.decay < 0.995) parts.push(`${Math.round(100 * item.decay)} % of it is left after decay`);
  if (item.left_out) parts.push(`${item.left_out} more of this creator kept off`);
  return parts.join(" · ");
}
