// Where events wait in Node.js: a file that only grows until all of it is settled; each line is one word on an event.

import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";

import { Full } from "./client.js";

/** One process at a time uses a file. What was taken is on the disk (fsync). */
export class FileOutbox {
  #waiting = new Map();
  #refused = [];
  #next = 1;

  constructor(file, most = 100_000) {
    this.most = most;
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    for (const line of text.split("\n").slice(0, -1)) this.#heard(JSON.parse(line));
    this.file = openSync(file, "a+");
    if (!text.endsWith("\n") && text) ftruncateSync(this.file, Buffer.byteLength(text.slice(0, text.lastIndexOf("\n") + 1)));
  }

  #heard([word, number, event, pointer, reason]) {
    if (word === "in") this.#waiting.set(number, event);
    else this.#waiting.delete(number);
    if (word === "no") this.#refused.push({ event, pointer, reason });
    if (word === "forget") this.#refused = [];
    this.#next = Math.max(this.#next, number + 1);
  }

  #write(lines) {
    writeSync(this.file, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    fsyncSync(this.file);
    lines.forEach((line) => this.#heard(line));
    if (!this.#waiting.size && !this.#refused.length) ftruncateSync(this.file, 0);  // all is settled: begin anew
  }

  async count() {
    return this.#waiting.size;
  }

  async add(events) {
    if (this.#waiting.size + events.length > this.most) throw new Full(`${this.#waiting.size} events wait already`);
    this.#write(events.map((event, at) => ["in", this.#next + at, event]));
  }

  async first(most) {
    return [...this.#waiting].slice(0, most);
  }

  async settle(numbers, refused) {
    this.#write([
      ...numbers.map((number) => ["out", number]),
      ...refused.map(({ number, event, pointer, reason }) => ["no", number, event, pointer, reason]),
    ]);
  }

  async refused() {
    return [...this.#refused];
  }

  async forget() {
    this.#write([["forget", 0]]);
  }

  async close() {
    closeSync(this.file);
  }
}
