// The calls of /api/v1, and nothing else: pages have no other way into a room.

export class Problem extends Error {
  /** document: as RFC 9457 has it, with the code of the sandbox. */
  constructor(document) {
    super(document.detail || document.title || "it failed");
    this.document = document;
    this.code = document.code;
    this.status = document.status;
  }
}

const WAITS_MS = [300, 700, 1500, 3000, 5000, 8000, 10000];
const AT_WORK = "the same command, which is at work still";

/**
 * One call. tags: path -> what the last answer was called: where that is still so, the answer is null. Raises Problem for what
 * was refused, TypeError where the server could not be reached.
 */
export async function call(path, { method = "GET", body = undefined, cache = "no-store", tags = null } = {}) {
  const answer = await fetch(path, {
    method, credentials: "same-origin", cache,
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...(tags?.[path] ? { "if-none-match": tags[path] } : {}) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.status === 204 || answer.status === 304) return null;
  const text = await answer.text();
  let document;
  try {
    document = JSON.parse(text);
  } catch {
    document = { status: answer.status, detail: `the server answered ${answer.status}` };
  }
  if (!answer.ok) throw new Problem({ status: answer.status, ...document });
  if (tags) tags[path] = answer.headers.get("etag");
  return document;
}

/** Letters for a command's id: the same command sent again is done once. */
export function uid() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Gives a command, again and again with the same id where the connection is gone, so that it is neither lost nor done
 * twice. onWait: called when it has to be sent again. Raises Problem where it is refused.
 */
export async function command(base, kind, fields = {}, onWait = () => {}) {
  const body = { kind, id: uid(), ...fields };
  for (let n = 0; ; n += 1) {
    try {
      return await call(`${base}/commands`, { method: "POST", body });
    } catch (error) {
      const refused = error instanceof Problem && error.document.seen !== AT_WORK && error.status < 500;
      if (refused || n >= WAITS_MS.length) throw error;
      if (error instanceof Problem && error.status >= 500 && error.code) throw error;
      onWait(n);
      await pause(WAITS_MS[n]);
    }
  }
}

const SILENCE_MS = 12000; // a stream that tells not even the time is dead
const AGAIN_MS = [200, 500, 1000, 2000, 4000];

/**
 * The events of a room, each once and in order, through as many connections as it takes.
 * on: {event(e), clock(c), overview(o), up(), down(), refused(document)}. after: seq of the last that was seen.
 * Returns `close()` and `watch(on)`: whether the overview comes with it.
 */
export function stream(base, after, on) {
  let socket = null;
  let seen = after;
  let tries = 0;
  let silence = null;
  let ended = false;
  let up = false;
  let watches = false;

  function open() {
    const url = new URL(`${base}/events?resume_from=${seen}&watch=${watches}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(url);
    socket.onmessage = (message) => heard(JSON.parse(message.data));
    socket.onclose = again;
    const asked = watches;
    socket.onopen = () => { if (watches !== asked) tell(); }; // it was turned while the connection was made
    listen();
  }

  function tell() {
    if (socket.readyState === WebSocket.OPEN) socket.send(watches ? "watch" : "rest");
  }

  function heard(told) {
    listen();
    if (told.kind === "problem") {
      if (told.status === 429) return; // too many streams: it is tried again
      ended = true;
      on.refused(told);
      return;
    }
    if (!up) on.up();
    up = true;
    tries = 0;
    if (told.kind === "clock") on.clock(told);
    else if (told.kind === "overview") on.overview(told);
    else if (told.seq > seen) {
      seen = told.seq;
      on.event(told);
    }
  }

  function listen() {
    clearTimeout(silence);
    silence = setTimeout(() => {
      const hung = socket;
      hung.onclose = null;
      hung.close();
      again();
    }, SILENCE_MS);
  }

  function again() {
    clearTimeout(silence);
    if (ended) return;
    if (up) on.down();
    up = false;
    const wait = AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)];
    tries += 1;
    setTimeout(open, wait * (0.75 + Math.random() / 2)); // not all at once after a restart
  }

  open();
  return {
    close() { ended = true; clearTimeout(silence); socket.close(); },
    watch(on_) {
      if (watches === on_) return;
      watches = on_;
      tell();
    },
  };
}

/** One event that is past. */
export function eventAt(base, seq) {
  return new Promise((resolve, reject) => {
    const one = stream(base, seq - 1, {
      event(event) {
        one.close();
        if (event.seq === seq) resolve(event);
        else reject(new Error("there is no such event"));
      },
      clock() {}, overview() {}, up() {}, down() {},
      refused(document) { reject(new Problem(document)); },
    });
  });
}
