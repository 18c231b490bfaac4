// Where events wait in a browser: one database, which survives the page and the browser.

import { Full } from "./client.js";

const asked = (request) => new Promise((go, stop) => {
  request.onsuccess = () => go(request.result);
  request.onerror = () => stop(request.error);
});

/** One tab at a time should send from a database; two would send the same events, which costs time and harms nothing. */
export class IndexedOutbox {
  constructor(name = "daybook-outbox", most = 10_000) {
    this.most = most;
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      for (const store of ["waiting", "refused"]) opening.result.createObjectStore(store, { autoIncrement: true });
    };
    this.db = asked(opening);
  }

  /** A transaction; what `work` returns once it is on the disk. */
  async #with(stores, mode, work) {
    const change = (await this.db).transaction(stores, mode, { durability: "strict" });
    const ended = new Promise((go, stop) => {
      change.oncomplete = go;
      change.onerror = change.onabort = () => stop(change.error);
    });
    const found = await work(...stores.map((name) => change.objectStore(name)));
    await ended;
    return found;
  }

  count() {
    return this.#with(["waiting"], "readonly", (waiting) => asked(waiting.count()));
  }

  add(events) {
    return this.#with(["waiting"], "readwrite", async (waiting) => {
      const count = await asked(waiting.count());
      if (count + events.length > this.most) throw new Full(`${count} events wait already`);
      for (const event of events) waiting.add(event);
    });
  }

  first(most) {
    return this.#with(["waiting"], "readonly", async (waiting) => {
      const [keys, values] = await Promise.all([asked(waiting.getAllKeys(null, most)), asked(waiting.getAll(null, most))]);
      return keys.map((key, at) => [key, values[at]]);
    });
  }

  settle(numbers, refused) {
    return this.#with(["waiting", "refused"], "readwrite", (waiting, aside) => {
      for (const { event, pointer, reason } of refused) aside.add({ event, pointer, reason });
      for (const number of [...numbers, ...refused.map((each) => each.number)]) waiting.delete(number);
    });
  }

  refused() {
    return this.#with(["refused"], "readonly", (aside) => asked(aside.getAll()));
  }

  forget() {
    return this.#with(["refused"], "readwrite", (aside) => asked(aside.clear()));
  }

  async close() {
    (await this.db).close();
  }
}
