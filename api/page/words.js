// Names, units and numbers as people read them; and elements made without markup, so that no text becomes any.

const NAMES = {
  energy_kcal: "Eaten", calories_burned_kcal: "Burned", meal_plan_adherence_pct: "Meal plan",
  workout_plan_adherence_pct: "Workout plan", meals_logged: "Meals", workouts_completed: "Workouts",
  sleep_minutes: "Sleep", active_minutes: "Active", workout_minutes: "Training", volume_kg: "Lifted",
  training_load: "Training load", water_ml: "Water", body_fat_pct: "Body fat", fibre_g: "Fibre",
  activity_calories_kcal: "Burned by activity", workout_calories_kcal: "Burned by workouts", distance_m: "Distance",
  reps: "Most repetitions",
};
const UNITS = { kcal: "kcal", g: "g", ml: "ml", kg: "kg", pct: "%", cm: "cm", m: "m", reps: "", s: "s" };
const LOCALE = "en-GB";

const unitOf = (name) => UNITS[name.slice(name.lastIndexOf("_") + 1)];

export function title(name) {
  const [base, of] = name.split(":");
  const cut = unitOf(base) === undefined ? -1 : base.lastIndexOf("_");
  const words = (cut > 0 ? base.slice(0, cut) : base).replaceAll("_", " ").replace("1rm", "1RM");
  const first = NAMES[base] ?? words.charAt(0).toUpperCase() + words.slice(1);
  return of ? `${first}, ${of.replaceAll("_", " ")}` : first;
}

export const number = (value, digits = value < 100 && !Number.isInteger(value) ? 1 : 0) =>
  value.toLocaleString(LOCALE, { maximumFractionDigits: digits });

/** [number, unit] of a metric's value. */
export function amount(name, value) {
  if (value === undefined || value === null) return ["–", ""];
  if (typeof value !== "number") return [String(value), ""];
  const base = name.split(":")[0];
  if (base.endsWith("_minutes")) {
    const all = Math.round(value);
    return all < 60 ? [number(all), "min"] : [`${Math.floor(all / 60)}:${String(all % 60).padStart(2, "0")}`, "h"];
  }
  if (base === "distance_m" && value >= 1000) return [number(value / 1000, 1), "km"];
  return [number(value), unitOf(base) ?? ""];
}

/** A value beside an axis: its unit stands in the title. */
export const tick = (name, value) => (name.endsWith("_minutes") ? amount(name, value)[0] : number(value));

export const said = (name, value) => amount(name, value).join(" ").trim();

const BASE = {
  cal: [1000, "kcal"], mg: [1000, "g"], mm: [10, "cm"], g: [1000, "kg"], s: [60, "min"], bp: [100, "%"], ml: [1, "ml"],
  bpm: [1, "bpm"], rpe10: [10, "min × RPE"], reps: [1000, "kg"],
};

/** What an event says, from the base units of the streams into those that people use: "protein_mg", 1500 → "protein 1.5 g". */
export function plain(name, value) {
  if (name === "distance_mm") return `distance ${said("distance_m", value / 1000)}`;
  const cut = name.lastIndexOf("_");
  const [size, unit] = BASE[name.slice(cut + 1)] ?? [1, null];
  const words = (unit ? name.slice(0, cut) : name).replace(/_g$|_s$/, "").replaceAll("_", " ");
  return [words, number(value / size), unit].filter(Boolean).join(" ");
}

export const dayText = (date, more = {}) =>
  new Date(`${date}T12:00:00Z`).toLocaleDateString(LOCALE, { timeZone: "UTC", day: "numeric", month: "short", ...more });

export const shift = (date, days) =>
  new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

/** An element. Attributes are set, listeners are `onclick` and the like, children are elements or text. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return made;
}

/** A table; cells are text or elements, a column that begins with > holds numbers. */
export function table(caption, columns, rows) {
  const right = columns.map((each) => each.startsWith(">"));
  const cell = (kind, each, at, more = {}) => el(kind, { class: right[at] ? "number" : null, ...more }, each ?? "–");
  return el("table", {},
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, columns.map((each, at) => cell("th", each.replace(/^>/, ""), at, { scope: "col" })))),
    el("tbody", {}, rows.map((row) =>
      el("tr", {}, row.map((each, at) => (at ? cell("td", each, at) : cell("th", each, at, { scope: "row" })))))));
}

export const quiet = (text) => el("p", { class: "quiet" }, text);
export const byId = (id) => document.getElementById(id);
