// The JavaScript client, driven by lines of JSON (tests/clients/README.md).

import { createInterface } from "node:readline";

import { Client } from "../../producers/web/client.js";
import { FileOutbox } from "../../producers/web/file.js";

const [address, file, tokens] = process.argv.slice(2);
const each = tokens.split(",");
const token = () => (each.length > 1 ? each.shift() : each[0]);
const client = new Client({ address, token, outbox: new FileOutbox(file), longestMs: 300 });
const commands = {
  send: ({ events }) => client.send(...events),
  flush: ({ seconds }) => client.flush(seconds * 1000),
  waiting: () => client.waiting(),
  refused: async () => (await client.refused()).map((one) => [JSON.parse(one.event).id, one.pointer, one.reason]),
  skew: () => client.skewMs / 1000,
  close: () => client.close(200),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  console.log(JSON.stringify((await commands[command.do](command)) ?? null));
}
