// A user's day as it fills, and what is around it: the month, goals, streaks, records.

import { follow, get, user } from "./asking.js";
import { Month } from "./month.js";
import { drawGoals, drawRecords, drawStreaks } from "./progress.js";
import { amount, byId, dayText, el, number, plain, quiet, said, shift, table, title } from "./words.js";

const FIRST = ["steps", "calories_burned_kcal", "sleep_minutes", "energy_kcal"];
const ORDER = [
  ...FIRST, "protein_g", "carbs_g", "fat_g", "fibre_g", "water_ml", "meals_logged", "workouts_completed", "workout_minutes",
  "volume_kg", "active_minutes", "distance_m", "weight_kg", "body_fat_pct", "waist_cm", "training_load",
];
const SPAN = 31;
const today = () => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

/** "2026-11-14T06:51:59+11:00" as the user's clock had it. */
const moment = (text) => `${dayText(text.slice(0, 10))}, ${text.slice(11, 16)}${text.slice(19) === "Z" ? " UTC" : ` ${text.slice(19)}`}`;

export class Day {
  constructor(leave) {
    this.leave = leave;
    this.follows = true;
    this.metrics = this.progress = {};
    this.month = new Month((date) => this.go(date));
    const pick = byId("pick");
    pick.addEventListener("submit", (event) => event.preventDefault());
    pick.user.addEventListener("change", () => this.of(pick.user.value.trim(), true, true));
    pick.date.addEventListener("change", () => pick.date.value && this.go(pick.date.value));
    pick.follow.addEventListener("change", () => {
      this.follows = pick.follow.checked;
      this.look();
    });
    byId("before").addEventListener("click", () => this.go(shift(this.date, -1)));
    byId("after").addEventListener("click", () => this.go(shift(this.date, 1)));
    byId("why-close").addEventListener("click", () => byId("why").close());
  }

  of(id, mayChoose, now = false) {
    byId("pick-user").hidden = !mayChoose;
    byId("pick").user.value = id;
    if (id === this.id) return;
    this.id = id;
    this.follows = true;
    this.date = today();
    sessionStorage.setItem("user", id);
    this.metrics = this.progress = {};
    if (now) this.show();
  }

  show() {
    this.hide();
    if (!this.id) return;
    this.listen();
    this.look();
    this.timer = setInterval(() => this.look(), 3000);
  }

  hide() {
    clearInterval(this.timer);
    this.stop?.abort();
  }

  repaint() {
    this.month.repaint();
  }

  go(date) {
    this.follows = false;
    this.turn(date);
  }

  turn(date) {
    if (date === this.date) return this.drawHead();
    this.date = date;
    this.metrics = {};
    this.listen();
    this.around();
  }

  /** Progress, and with it the latest day with anything on it. */
  async look() {
    const { id } = this;
    try {
      const found = await get(user(id, "progress"));
      if (id !== this.id) return;  // another user was chosen meanwhile
      this.progress = found;
      this.stale(found.stale_s);
    } catch (why) {
      if (why.status === 401) return this.leave(why.message);
      this.stale(null, why.message);
    }
    this.draw();
    drawStreaks(byId("streaks"), this.progress);
    drawRecords(byId("records"), this.progress);
    if (this.follows && this.progress.as_of) this.turn(this.progress.as_of);
    await this.around();
  }

  listen() {
    this.stop?.abort();
    this.stop = new AbortController();
    this.drawHead();
    this.draw();
    const heard = (row) => {
      this.metrics = row.metrics;
      this.draw();
    };
    const state = (name, why) => {
      if (why?.status === 401) this.leave(why.message);
      else this.tell(name, why);
    };
    const path = `v1/stream?user=${encodeURIComponent(this.id)}&date=${this.date}&timezone=${zone}`;
    follow(path, heard, state, this.stop.signal);
  }

  /** The days up to this one. */
  async around() {
    const { id, date } = this, from = shift(date, 1 - SPAN);
    try {
      const found = await get(`${user(id, "days")}?from=${from}&to=${date}&limit=${SPAN}`);
      if (id !== this.id || date !== this.date) return;
      this.stale(found.stale_s);
      const days = new Map(found.days.map((day) => [day.date, day.metrics]));
      this.month.draw(Array.from({ length: SPAN }, (_, at) => shift(from, at)), days, this.date);
      drawGoals(byId("goals"), byId("adherence"), days.get(this.date) ?? {}, from, SPAN, days);
    } catch (why) {
      this.stale(null, why.message);
    }
  }

  tell(name, why) {
    const live = byId("live"), text = { live: "live", away: "away, trying again", refused: why?.message ?? "refused" }[name];
    if (live.textContent !== text) live.textContent = text;
    live.dataset.state = name;
  }

  stale(seconds, why) {
    const note = byId("stale");
    note.hidden = seconds === undefined && !why;
    note.textContent = why ? `These numbers may be old: ${why}.` : `No store answers: this is what was known ${seconds} s ago.`;
  }

  drawHead() {
    const pick = byId("pick");
    pick.date.value = this.date;
    pick.follow.checked = this.follows;
    const heading = dayText(this.date, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
    if (byId("day-title").textContent !== heading) byId("day-title").textContent = heading;
  }

  draw() {
    const { metrics } = this;
    const count = metrics.entities;
    byId("day-about").textContent = count
      ? `${number(count)} ${count === 1 ? "entry" : "entries"} from ${(metrics.sources ?? []).join(", ")}`
      : "Nothing on this day yet.";
    const usual = (name) => this.progress.windows?.[name]?.days_28d > 0;
    const expected = FIRST.some(usual) ? FIRST.filter(usual) : FIRST;
    const names = ORDER.filter((name) => typeof metrics[name] === "number" || expected.includes(name));
    const box = byId("tiles");
    const made = names.map((name) => box.querySelector(`[data-metric="${name}"]`) ?? this.tile(name));
    if (made.some((tile, at) => box.children[at] !== tile) || box.children.length !== made.length) box.replaceChildren(...made);
    made.forEach((tile) => this.fill(tile));
  }

  tile(name) {
    return el("button", { class: "tile", type: "button", "data-metric": name, onclick: () => this.explain(name) },
      el("span", { class: "name" }, title(name)),
      el("span", { class: "value" }, el("b", {}, "–"), " ", el("span", { class: "unit" })),
      el("span", { class: "against quiet" }),
      el("span", { class: "meter", "aria-hidden": "true" }, el("i")));
  }

  fill(tile) {
    const name = tile.dataset.metric, value = this.metrics[name];
    const [text, unit] = amount(name, value);
    const shown = tile.querySelector("b");
    if (shown.textContent !== text) {
      if (shown.textContent !== "–" && text !== "–") {
        tile.classList.remove("changed");
        void tile.offsetWidth;  // begins the animation again
        tile.classList.add("changed");
      }
      shown.textContent = text;
    }
    tile.querySelector(".unit").textContent = unit;
    const goal = Object.values(this.metrics.goals ?? {}).find((each) => each.metric === name);
    const usual = this.progress.windows?.[name]?.mean_28d;
    const [than, against] = goal
      ? [goal.target, `of ${said(name, goal.target)}`]
      : usual ? [usual, `usually ${said(name, usual)}`] : [null, ""];
    tile.querySelector(".against").textContent = against;
    const full = than && typeof value === "number" ? Math.min(1, value / than) : 0;
    tile.querySelector(".meter").hidden = than === null;
    tile.querySelector("i").style.width = `${100 * full}%`;
    tile.classList.toggle("hit", goal?.hit === true);
  }

  async explain(name) {
    const date = this.date, box = byId("why-body");
    byId("why-title").textContent = `${title(name)}, ${dayText(date)}`;
    box.replaceChildren(quiet("Looking …"));
    byId("why").showModal();
    try {
      const found = await get(`${user(this.id, "explain")}?date=${date}&metric=${name}`);
      const values = (each) => Object.entries(each).map(([what, value]) => plain(what, value)).join(", ");
      const lines = (what, all) => el("section", {}, el("h3", {}, `${what}: ${all.length}`), all.length
        ? el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": what },
            table(what, ["What", "When", "From", "Says", ...(all.some((each) => each.why) ? ["But"] : [])], all.map((each) => [
              each.type.replace(".", " "), moment(each.time), each.source, values(each.says), ...(each.why ? [each.why] : []),
            ])))
        : quiet("None."));
      const stores = Object.entries(found.agrees).map(([store, same]) => `${store} ${same ? "says the same" : "does not say so yet"}`);
      box.replaceChildren(
        el("p", { class: "value big" }, el("b", {}, said(name, found.row[name]))),
        lines("What counts", found.counted), lines("Left out", found.left_out),
        quiet(stores.length ? `${stores.join(", ")}.` : "No store has the day, as it should be."));
    } catch (why) {
      box.replaceChildren(el("p", { class: "wrong" }, why.message));
    }
  }
}
