// Asks the service: JSON once, or a day as it changes. The token travels in a header, never in an address.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail || `the service answered ${status}`);
    this.status = status;
  }
}

let token = "";
export const useToken = (found) => { token = found; };

/** What a token says of itself; the service judges it, this only decides what is shown. */
export function claims(text) {
  try {
    const middle = text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(middle), (c) => c.charCodeAt(0))));
  } catch {
    return {};
  }
}

async function open(path, more = {}) {
  const answer = await fetch(path, { ...more, headers: { ...more.headers, Authorization: `Bearer ${token}` } });
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  throw new Refused(answer.status, said.detail);
}

export const get = async (path) => (await open(path)).json();

export const user = (id, what) => `v1/users/${encodeURIComponent(id)}/${what}`;

/**
 * A user's day, told at once and each time it changes, until `stop` is aborted. `state` hears live, away or refused.
 * EventSource cannot send a token, so the stream is read here (WHATWG HTML, 9.2.6).
 */
export async function follow(path, heard, state, stop) {
  let last = "", pause = 1000;
  while (!stop.aborted) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const answer = await open(path, { headers, signal: stop, cache: "no-store" });
      state("live");
      pause = 1000;
      for await (const event of events(answer.body.pipeThrough(new TextDecoderStream()))) {
        last = event.id ?? last;
        heard(JSON.parse(event.data));
      }
    } catch (why) {
      if (stop.aborted) return;
      state("away", why);
      if ([400, 401, 403, 404].includes(why.status)) return state("refused", why);
      await new Promise((go) => setTimeout(go, pause * (0.5 + Math.random())));
      pause = Math.min(2 * pause, 30_000);
    }
  }
}

async function* events(stream) {
  const reader = stream.getReader();
  let left = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const pieces = (left + value).split("\n\n");
    left = pieces.pop();
    for (const piece of pieces) {
      const event = {};
      for (const line of piece.split("\n")) {
        const at = line.indexOf(":");
        if (at > 0) event[line.slice(0, at)] = line.slice(at + 1).trimStart();
      }
      if (event.data) yield event;
    }
  }
}
