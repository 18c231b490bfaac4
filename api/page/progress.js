// Goals, adherence, streaks, records: what a user's days come to.

import { dayText, el, number, quiet, said, shift, table, title } from "./words.js";

const empty = (box, text) => box.replaceChildren(quiet(text));
const same = (box, told) => box.dataset.told === told || void (box.dataset.told = told);

export function drawGoals(box, month, metrics, from, span, days) {
  const goals = Object.entries(metrics.goals ?? {});
  const plans = ["meal_plan_adherence_pct", "workout_plan_adherence_pct"].filter((name) => metrics[name] !== undefined);
  if (!same(box, JSON.stringify([goals, plans.map((name) => metrics[name])]))) {
    if (!goals.length && !plans.length) empty(box, "No goal or plan was valid on this day.");
    else box.replaceChildren(el("ul", { class: "goals" },
      plans.map((name) => goal(title(name), metrics[name], 100, `${number(metrics[name])} % kept`, metrics[name] >= 100)),
      goals.map(([name, each]) => goal(
        title(each.metric), each.actual ?? 0, each.target,
        each.actual === null || each.actual === undefined
          ? `${name}: nothing yet of ${said(each.metric, each.target)}`
          : `${said(each.metric, each.actual)}, ${each.direction.replaceAll("_", " ")} ${said(each.metric, each.target)}`,
        each.hit))));
  }
  drawAdherence(month, from, span, days);
}

function goal(name, value, target, text, hit) {
  const state = hit === true ? "✓ hit" : hit === false ? "missed" : "open";
  return el("li", { class: hit ? "hit" : null },
    el("span", { class: "name" }, name), el("span", { class: "state" }, state), el("span", { class: "quiet" }, text),
    el("progress", { max: "1", value: String(target ? Math.max(0, Math.min(1, value / target)) : 0), "aria-label": `${name}: ${text}` }));
}

/** How much of what was asked on a day was kept, from 0 to 1; null where nothing was. */
function kept(metrics) {
  const parts = ["meal_plan_adherence_pct", "workout_plan_adherence_pct"]
    .map((name) => metrics?.[name]).filter((value) => typeof value === "number").map((value) => Math.min(1, value / 100));
  for (const each of Object.values(metrics?.goals ?? {})) if (typeof each.hit === "boolean") parts.push(Number(each.hit));
  return parts.length ? parts.reduce((sum, part) => sum + part, 0) / parts.length : null;
}

function drawAdherence(box, from, span, days) {
  const dates = Array.from({ length: span }, (_, at) => shift(from, at));
  const all = dates.map((date) => [date, kept(days.get(date))]);
  if (same(box, JSON.stringify(all))) return;
  const there = all.filter(([, part]) => part !== null);
  if (!there.length) return empty(box, "Nothing was asked of these days.");
  const mean = there.reduce((sum, [, part]) => sum + part, 0) / there.length;
  const level = (part) => (part === null ? "none" : part >= 1 ? "4" : part >= 0.66 ? "3" : part >= 0.33 ? "2" : part > 0 ? "1" : "0");
  const skipped = (new Date(`${from}T00:00:00Z`).getUTCDay() + 6) % 7;  // weeks begin on Monday
  box.replaceChildren(
    el("ol", { class: "calendar" },
      ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map((name) => el("li", { class: "head", "aria-hidden": "true" }, name)),
      Array.from({ length: skipped }, () => el("li", { "aria-hidden": "true" })),
      all.map(([date, part]) => {
        const text = `${dayText(date)}: ${part === null ? "nothing asked" : `${Math.round(100 * part)} % kept`}`;
        return el("li", { "data-level": level(part), title: text },
          el("span", { "aria-hidden": "true" }, String(Number(date.slice(8)))), el("span", { class: "unseen" }, text));
      })),
    quiet(`${Math.round(100 * mean)} % of goals and plans kept on ${there.length} days. A fuller colour is more; a frame: nothing was asked.`));
}

export function drawStreaks(box, progress) {
  const found = Object.entries(progress.streaks ?? {});
  if (same(box, JSON.stringify([progress.as_of, found]))) return;
  if (!found.length) return empty(box, "No streak yet.");
  found.sort(([, a], [, b]) => b.current - a.current || b.longest - a.longest);
  box.replaceChildren(el("ul", { class: "streaks" }, found.map(([name, each]) => el("li", {},
    el("b", {}, number(each.current)),
    el("span", { class: "name" }, name.startsWith("goal:") ? `Goal ${name.slice(5)}` : title(name)),
    el("span", { class: "quiet" }, each.current
      ? `days in a row, since ${dayText(each.since)}; longest ${number(each.longest)}`
      : `broken; longest ${number(each.longest)} (${dayText(each.longest_since)} – ${dayText(each.longest_until)})`)))));
}

const SHOWN = 12;

export function drawRecords(box, progress) {
  const found = Object.entries(progress.records ?? {});
  if (same(box, JSON.stringify(found))) return;
  if (!found.length) return empty(box, "No record yet.");
  found.sort(([, a], [, b]) => b.date.localeCompare(a.date));
  const rows = (some) => some.map(([name, each]) => [
    title(name), said(name, each.value), dayText(each.date, { year: "numeric" }),
    each.previous_value === undefined || each.previous_value === null ? "" : said(name, each.previous_value),
  ]);
  const columns = ["What", ">Best", ">Day", ">Before"];
  const rest = found.slice(SHOWN);
  box.replaceChildren(
    el("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": "Table of records" }, table("Records", columns, rows(found.slice(0, SHOWN)))),
    ...(rest.length ? [el("details", {}, el("summary", {}, `${rest.length} more`), table("More records", columns, rows(rest)))] : []));
}
