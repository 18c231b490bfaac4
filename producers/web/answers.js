// What a client does next, by what the service answered: as producers/answers.py says it. Pure.

export const FIRST_MS = 500, LONGEST_MS = 60_000, LEAST_MS = 50;
const ASKED_MOST_MS = 3_600_000;

/**
 * `status`: null where no answer came. `events`: how many were sent. `failures`: in a row before this one. `dice`: 0 to 1.
 * Returns { what, waitMs }: settle (read the verdicts), again, halve (to find the one that spoils it), set aside, new token.
 */
export function step(status, retryAfter, { events, failures, dice, longestMs = LONGEST_MS }) {
  if (status === 202) return { what: "settle", waitMs: 0 };
  if ([400, 413, 415, 422].includes(status)) return { what: events > 1 ? "halve" : "set aside", waitMs: 0 };
  const waitMs = Math.max(askedMs(retryAfter), backOffMs(failures, dice, longestMs));
  return { what: status === 401 || status === 403 ? "new token" : "again", waitMs };
}

/** Full jitter (Brooker, Exponential Backoff and Jitter, AWS Architecture Blog 2015), never nothing. */
export const backOffMs = (failures, dice, longestMs = LONGEST_MS) =>
  Math.max(LEAST_MS, dice * Math.min(longestMs, FIRST_MS * 2 ** Math.min(failures, 16)));

/** Retry-After in ms; 0 where there is none that can be read (a date is not waited for). */
export const askedMs = (text) => (/^\d{1,9}$/.test((text ?? "").trim()) ? Math.min(Number(text) * 1000, ASKED_MOST_MS) : 0);
