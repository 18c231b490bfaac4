// A client of Daybook's HTTP service for browsers and Node.js: what is sent is in the outbox when `send` returns, and
// stays there until its fate is known, through 429, 503, cut connections and restarts of the app.

import { step } from "./answers.js";

const BATCH = 500, BATCH_BYTES = 1 << 20, TIMEOUT_MS = 30_000;
const KEEPALIVE_BYTES = 60_000;  // of all requests of a page that is left (Fetch standard: 64 KiB)
const bytesOf = (text) => new TextEncoder().encode(text).length;

/** No room: as many events wait as were allowed. */
export class Full extends Error {}

/** Where events wait that may go with the process. Others: indexeddb.js for browsers, file.js for Node.js. */
export class MemoryOutbox {
  #waiting = new Map();
  #refused = [];
  #next = 1;

  constructor(most = 10_000) {
    this.most = most;
  }

  async count() {
    return this.#waiting.size;
  }

  /** Take events, as text; raises Full, and takes none then. */
  async add(events) {
    if (this.#waiting.size + events.length > this.most) throw new Full(`${this.#waiting.size} events wait already`);
    for (const event of events) this.#waiting.set(this.#next++, event);
  }

  /** The oldest, as [number, event]: at most so many, and one at least if any waits. */
  async first(most) {
    return [...this.#waiting].slice(0, most);
  }

  /** These wait no longer; `refused`: [{ number, event, pointer, reason }]. */
  async settle(numbers, refused) {
    this.#refused.push(...refused.map(({ event, pointer, reason }) => ({ event, pointer, reason })));
    for (const number of [...numbers, ...refused.map((each) => each.number)]) this.#waiting.delete(number);
  }

  async refused() {
    return [...this.#refused];
  }

  async forget() {
    this.#refused = [];
  }

  async close() {}
}

export class Client {
  #wake = () => {};
  #left = false;
  #bearer = "";
  #idle = new Set();

  /**
   * `address`: http(s)://host[:port]. `token`: gives a bearer token (or a promise of one), and another when the last was
   * refused. `outbox`: one client at a time uses it. `longestMs`: the longest pause between two tries, unless the service
   * asks for more.
   */
  constructor({ address, token, outbox = new MemoryOutbox(), longestMs, fetch = globalThis.fetch.bind(globalThis) }) {
    this.url = `${new URL(address).href.replace(/\/$/, "")}/v1/events`;
    Object.assign(this, { token, outbox, longestMs, fetch });
    /** How far this device's clock is ahead of the service's, as its last answer showed [ms]. */
    this.skewMs = 0;
    this.hide = () => this.#hurry();
    globalThis.addEventListener?.("pagehide", this.hide);
    this.done = this.#run();
  }

  /** Take events (CloudEvents as objects). Rejects with Full, and takes none then. */
  async send(...events) {
    await this.outbox.add(events.map((event) => JSON.stringify(event)));
    this.#wake();
  }

  /** How many events have not met their fate yet. */
  waiting() {
    return this.outbox.count();
  }

  /** What the service will never take, and why. */
  refused() {
    return this.outbox.refused();
  }

  /** Wait until nothing waits any more; false if time was up before. */
  async flush(timeoutMs) {
    if (!(await this.outbox.count())) return true;
    this.#wake();
    let told, clock;
    const idle = new Promise((go) => this.#idle.add((told = () => go(true))));
    const late = new Promise((go) => (clock = setTimeout(() => go(false), timeoutMs)));
    const found = await Promise.race([idle, late]);
    clearTimeout(clock);
    this.#idle.delete(told);
    return found;
  }

  /** Send what can be sent within `exitMs`; the rest waits in the outbox for the next client. */
  async close(exitMs = 5000) {
    await this.flush(exitMs);
    this.#left = true;
    this.stop?.abort();
    this.#wake();
    globalThis.removeEventListener?.("pagehide", this.hide);
    await this.done;
    await this.outbox.close();
  }

  async #run() {
    let failures = 0, most = BATCH;
    while (!this.#left) {
      const woken = new Promise((go) => (this.#wake = go));  // before looking: what comes meanwhile is not missed
      const batch = await this.#first(most);
      if (!batch.length) {
        for (const told of this.#idle) told();
        await woken;
        continue;
      }
      const { status, retryAfter, said } = await this.#post(batch);
      const now = (found) => step(found, retryAfter, { events: batch.length, failures, dice: Math.random(), longestMs: this.longestMs });
      let next = now(status);
      if (next.what === "settle" && !(await this.#settle(batch, said))) next = now(null);
      failures = next.waitMs ? failures + 1 : 0;
      if (next.what === "settle") most = Math.min(BATCH, most * 2);
      if (next.what === "halve") most = Math.max(1, Math.floor(batch.length / 2));
      if (next.what === "new token") this.#bearer = "";
      if (next.what === "set aside") {
        const [number, event] = batch[0];
        await this.outbox.settle([], [{ number, event, pointer: "", reason: said?.detail ?? `the service answered ${status}` }]);
      }
      if (next.waitMs && !this.#left) await this.#pause(next.waitMs);
    }
  }

  #pause(ms) {
    return new Promise((go) => {
      const clock = setTimeout(go, ms);
      this.stop = new AbortController();
      this.stop.signal.addEventListener("abort", () => {
        clearTimeout(clock);
        go();
      });
    });
  }

  async #first(most, size = BATCH_BYTES) {
    const found = [];
    for (const each of await this.outbox.first(most)) {
      size -= bytesOf(each[1]);
      if (found.length && size < 0) break;
      found.push(each);
    }
    return found;
  }

  #request(batch) {
    const now = new Date().toISOString();
    const sent = ([, event]) => (event.includes('"sentat"') ? event : `${event.slice(0, -1)},"sentat":"${now}"}`);
    return {
      method: "POST",
      headers: { Authorization: `Bearer ${this.#bearer}`, "Content-Type": "application/x-ndjson" },
      body: batch.map(sent).join("\n"),
    };
  }

  /** Status null where no answer came: nobody knows what arrived. */
  async #post(batch) {
    try {
      this.#bearer ||= await this.token();
      const answer = await this.fetch(this.url, { ...this.#request(batch), signal: AbortSignal.timeout(TIMEOUT_MS) });
      const date = Date.parse(answer.headers.get("date"));
      if (date) this.skewMs = Date.now() - date;
      const said = await answer.json().catch(() => null);
      return { status: answer.status, retryAfter: answer.headers.get("retry-after"), said };
    } catch {
      return { status: null, retryAfter: null, said: null };
    }
  }

  /** Whether the verdicts could be read: one for each event. */
  async #settle(batch, said) {
    const verdicts = new Map(Array.isArray(said?.results) ? said.results.map((each) => [each?.index, each]) : []);
    const stored = [], refused = [];
    for (const [at, [number, event]] of batch.entries()) {
      const verdict = verdicts.get(at);
      if (verdict?.status === "refused") {
        refused.push({ number, event, pointer: verdict.pointer ?? "", reason: verdict.reason ?? "" });
      } else if (verdict?.status === "accepted" || verdict?.status === "duplicate") stored.push(number);
      else return false;
    }
    await this.outbox.settle(stored, refused);
    return true;
  }

  /** The page is left: what fits goes out once more on its own; it stays in the outbox, and sending it again is free. */
  async #hurry() {
    if (!this.#bearer) return;
    const batch = await this.#first(BATCH, KEEPALIVE_BYTES);
    if (batch.length) this.fetch(this.url, { ...this.#request(batch), keepalive: true }).catch(() => {});
  }
}
