// What comes from the server, and whether it still comes: events, the line at the top, the words about trouble.

import { by, write } from "./dom.js";
import { lasting, secondOf } from "./looks.js";

const SILENT_MS = 12_000; // without an event, which come every second: a connection that is none any more
const AGAIN_MS = 3_000;
const HIDDEN_MS = 30_000; // nobody has looked for so long: the server need not send

const REFUSALS = {
  401: ["not allowed", "A token is needed: open this page once with ?token=… at the end of its address."],
  404: ["unknown", "No station of this name is known. It is looked for again."],
  503: ["busy", "Too many look at this page now; it is tried again."],
};

/**
 * Follow a stream of events for as long as somebody looks.
 * @param {string} path @param {Object<string, function(Object)>} takes what to do with each kind of event
 */
export function follow(path, takes) {
  let source = null;
  let heard = Date.now();
  let lost = null; // since when the server is gone
  let hiding;

  function open() {
    source?.close();
    source = new EventSource(path);
    heard = Date.now();
    for (const [kind, take] of Object.entries(takes)) {
      source.addEventListener(kind, (event) => {
        heard = Date.now();
        lost = null;
        const data = JSON.parse(event.data);
        if (data.daemon) clockSkew = data.now - heard / 1000;
        if (data.daemon) tellDaemon(data.daemon);
        take(data);
      });
    }
    source.onerror = () => {
      lose();
      // A refusal closes it for good; a connection that broke is opened again by the browser itself.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => !document.hidden && open(), AGAIN_MS);
    };
  }

  async function lose() {
    lost ??= heard;
    const since = `since ${secondOf(lost / 1000)}`;
    show("lost", "no connection", `The page's server can't be reached ${since}. What is shown is from then; it is tried again.`);
    const answer = await fetch(path.replace("events", "api/stations"), { method: "HEAD" }).catch(() => null);
    if (answer?.status in REFUSALS) show("lost", ...REFUSALS[answer.status]);
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(hiding);
    if (!document.hidden && source.readyState === EventSource.CLOSED) open();
    if (document.hidden) hiding = setTimeout(() => source.close(), HIDDEN_MS);
  });
  setInterval(() => {
    if (document.hidden || source.readyState === EventSource.CLOSED || Date.now() - heard < SILENT_MS) return;
    lose();
    open();
  }, AGAIN_MS);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && open());
  open();
}

let clockSkew = 0; // seconds by which the server's clock is ahead of the browser's

/** Seconds since the epoch, by the server's clock. */
export const now = () => Date.now() / 1000 + clockSkew;

function show(state, text, trouble) {
  by("link").dataset.state = state;
  document.body.classList.toggle("stale", trouble !== "");
  write(by("link-text"), text);
  write(by("trouble"), trouble);
  by("trouble").hidden = trouble === "";
}

function tellDaemon(daemon) {
  if (daemon.lost !== null) {
    const since = secondOf(daemon.lost);
    show("lost", "no daemon", `Nothing has been heard of the daemon since ${since}. What is shown is from then.`);
    return;
  }
  show("live", "live", "");
  if (daemon.version === undefined) return;
  const parts = [
    `genrecast ${daemon.version}`,
    `model ${daemon.model} on ${daemon.provider}`,
    `up ${lasting(daemon.uptime)}`,
    `${Math.round(100 * daemon.cpu)} % of a core`,
    `${Math.round(daemon.rss_mb)} MB`,
  ];
  if (daemon.lag_ms_p99 !== null) parts.push(`lag ${Math.round(daemon.lag_ms_p99)} ms`);
  if (daemon.hop_stretch > 1) parts.push(`too much to do: answers ${daemon.hop_stretch.toFixed(1)} times as far apart`);
  for (const [name, { state, detail }] of Object.entries(daemon.attendants)) {
    if (state !== "running") parts.push(`${name}: ${detail || state}`);
  }
  write(by("daemon"), parts.join(" · "));
}
