// What runs, how far it is, how fast, what was refused, what the audit found.

import { get } from "./asking.js";
import { Chart, line } from "./chart.js";
import { byId, el, number, quiet, table } from "./words.js";

const EVERY_MS = 2500;
const KEPT = 240;
const SERVERS = ["kafka", "postgres", "clickhouse", "redis"];

export class Operator {
  constructor(leave) {
    this.leave = leave;
    this.seen = [];
    this.chart = new Chart(byId("rate"), () => line((value) => number(value)));
  }

  show() {
    this.hide();
    this.look();
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  hide() {
    clearInterval(this.timer);
  }

  repaint() {
    this.chart.again();
  }

  async look() {
    if (this.asks) return;  // a look that takes long is waited for
    this.asks = true;
    try {
      this.draw(await get("v1/operator"));
      byId("live").textContent = "live";
      byId("live").dataset.state = "live";
    } catch (why) {
      if (why.status === 401) return this.leave(why.message);
      byId("operator-about").textContent = why.message;
    } finally {
      this.asks = false;
    }
  }

  draw(found) {
    const bad = found.roles.filter((row) => row.state !== "running");
    const about = bad.length
      ? `${bad.map((row) => `${row.role} is ${row.state}`).join(", ")}.`
      : `All ${found.roles.length} servers and workers run.`;
    if (byId("operator-about").textContent !== about) byId("operator-about").textContent = about;
    const { applied, duplicate, superseded, rejected } = found.events;
    const tiles = [
      ["Applied", applied], ["Duplicate", duplicate], ["Superseded", superseded], ["Refused", rejected], ["Waiting for old days", found.pending],
      ["Audit: wrong cells", found.audit.runs ? found.audit.open : undefined, found.audit.runs
        ? `${number(found.audit.mismatches ?? 0)} found in ${number(found.audit.days ?? 0)} days` : "the role audit does not run"],
      ...standing(found),
    ];
    byId("operator-tiles").replaceChildren(...tiles.map(([name, value, more]) => el("div", { class: "tile still" },
      el("span", { class: "name" }, name), el("span", { class: "value" }, el("b", {}, value === null || value === undefined ? "–" : typeof value === "string" ? value : number(value))),
      more ? el("span", { class: "quiet" }, more) : null)));
    this.drawRate(found.at_ms, found.events);
    byId("roles").replaceChildren(table("Servers and workers",
      ["Name", "Is a", "State", ">Records behind", ">Seconds behind", ">Fresh [s]", ">Up", ">Restarts"],
      found.roles.map((row) => [
        row.role.replace("worker-", ""), SERVERS.includes(row.role) ? "server" : "worker", el("span", { class: "state", "data-state": row.state }, row.state),
        whole(row.lag), row.lag_s === null ? "–" : number(row.lag_s, 1), row.fresh_s === null ? "–" : number(row.fresh_s, 2),
        up(row.uptime_s), whole(row.restarts),
      ])));
    byId("refused").replaceChildren(found.refused === null ? quiet("PostgreSQL does not answer.") : found.refused.length
      ? table("Refused events", ["Topic", "Reason", "Where", ">Events", ">Sent again"],
        found.refused.map((each) => [each.topic, each.reason, each.path, number(each.refused), number(each.replayed)]))
      : quiet("Nothing was refused."));
  }

  /** What the streams came to between two looks. */
  drawRate(at, events) {
    const all = Object.values(events);
    if (all.some((each) => each === null)) return;
    this.seen.push([at / 1000, all.reduce((sum, each) => sum + each, 0)]);
    this.seen = this.seen.slice(-KEPT);
    const steps = this.seen.slice(1).map(([time, sum], n) => {
      const [was, before] = this.seen[n];
      return [time, Math.max(0, sum - before) / Math.max(0.001, time - was)];
    }).filter(([time], n) => time > this.seen[n][0]);
    if (steps.length < 2) return void (byId("rate-said").textContent = "A moment …");
    this.chart.draw([steps.map(([time]) => time), steps.map(([, rate]) => rate)]);
    const rates = steps.map(([, rate]) => rate);
    byId("rate-said").textContent = `Now ${number(rates.at(-1))} events a second, at most ${number(Math.max(...rates))} since this was opened.`;
  }
}

const whole = (value) => (value === null || value === undefined ? "–" : number(value));

function up(seconds) {
  if (seconds === null) return "–";
  const parts = [[86_400, "d"], [3600, "h"], [60, "min"]].find(([size]) => seconds >= size);
  return parts ? `${number(Math.floor(seconds / parts[0]))} ${parts[1]}` : `${seconds} s`;
}

/** How far behind, how fresh, which stores, the disk, what was dropped, who is being erased: what is told of these. */
function standing(found) {
  const worst = (values) => Object.entries(values ?? {}).sort(([, a], [, b]) => b - a)[0];
  const [lag, fresh] = [worst(found.lag_s), worst(found.fresh_s)];
  const away = Object.entries(found.stores ?? {}).filter(([, answers]) => !answers).map(([store]) => store);
  const { spool, keep, erasures } = found;
  return [
    lag && ["Behind", `${number(lag[1], 1)} s`, `at most: ${lag[0]}`],
    fresh && ["Last canary readable", `${number(fresh[1], 2)} s`, `at most: ${fresh[0]}`],
    found.stores && ["Stores away", away.length, away.join(", ")],
    spool?.limit_bytes || spool?.events ? ["On the disk for Kafka", spool.events, `${number(spool.bytes ?? 0)} of ${number(spool.limit_bytes ?? 0)} bytes`] : null,
    keep?.passed_at_ms ? ["Dropped when due", keep.dropped ?? 0, `last looked at ${new Date(keep.passed_at_ms).toLocaleString()}`] : null,
    erasures && erasures.finished + erasures.unfinished ? ["Erasures under way", erasures.unfinished, `${number(erasures.finished)} finished`] : null,
  ].filter(Boolean);
}
