export interface Refusal { event: string; pointer: string; reason: string }

export interface Outbox {
  count(): Promise<number>;
  add(events: string[]): Promise<void>;
  first(most: number): Promise<[number, string][]>;
  settle(numbers: number[], refused: (Refusal & { number: number })[]): Promise<void>;
  refused(): Promise<Refusal[]>;
  forget(): Promise<void>;
  close(): Promise<void>;
}

export class Full extends Error {}

export class MemoryOutbox implements Outbox {
  constructor(most?: number);
  count(): Promise<number>;
  add(events: string[]): Promise<void>;
  first(most: number): Promise<[number, string][]>;
  settle(numbers: number[], refused: (Refusal & { number: number })[]): Promise<void>;
  refused(): Promise<Refusal[]>;
  forget(): Promise<void>;
  close(): Promise<void>;
}

export class Client {
  constructor(options: {
    address: string;
    token: () => string | Promise<string>;
    outbox?: Outbox;
    longestMs?: number;
    fetch?: typeof fetch;
  });
  skewMs: number;
  send(...events: object[]): Promise<void>;
  waiting(): Promise<number>;
  refused(): Promise<Refusal[]>;
  flush(timeoutMs: number): Promise<boolean>;
  close(exitMs?: number): Promise<void>;
}
