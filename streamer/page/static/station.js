// The page of one station: what it is now, how sure that is, what it hears, what it played.

import { by, make, write } from "./dom.js";
import { follow, now } from "./feed.js";
import {
  classOf, dayOf, decibel, exactTimeOf, lasting, nameOf, percent, plain, saidOf, timeOf, titleOf, whatOf,
} from "./looks.js";
import { Mel } from "./mel.js";
import { showPast } from "./past.js";
import { River } from "./river.js";
import { HOUR, draw, inWords, prune } from "./strip.js";

const AGAIN_MS = 600_000; // the history's hours grow slowly
const MOST_TRACKS = 50;
const MOST_CHANCES = 9; // what is named of the probabilities: the rest is next to nothing

const id = decodeURIComponent(location.pathname.split("/").pop());
const [river, mel] = [new River(by("river")), new Mel(by("mel"))];
let began = []; // what began when in the last hour
let said = null;
let last = null;

write(by("name"), id);
document.title = `${id} · genrecast`;

follow(`events/${encodeURIComponent(id)}`, {
  all(data) {
    began = data.strip;
    river.begin(data.recent);
    showTracks(data.tracks);
    show(data);
    showHistory();
  },
  some: show,
  track: (track) => {
    by("tracks").prepend(line(track));
    while (by("tracks").rows.length > MOST_TRACKS) by("tracks").lastChild.remove();
    by("no-tracks").hidden = true;
  },
  mel: (message) => {
    by("mel-wait").hidden = true;
    mel.take(message);
  },
});

function show(data) {
  const { station } = (last = data);
  const what = whatOf(station);
  const measured = station.state === "no-signal" || station.state === "silence";
  by("swatch").className = `swatch big ${classOf(what)}`;
  write(by("what"), saidOf(station));
  write(by("confidence"), measured ? "" : percent(station.confidence));
  write(by("title"), titleOf(station) || "\u00a0");
  write(by("since"), station.since > 0 ? `${dayOf(station.since, now())} · ${lasting(now() - station.since)}` : "–");
  if (station.since > 0) by("since").title = exactTimeOf(station.since);
  write(by("level"), decibel(station.level_dbfs) || "–");
  write(by("source"), station.event + (station.reason ? ` (${station.reason})` : ""));
  if (station.state === "no-signal") by("mel-wait").hidden = false;
  document.title = `${saidOf(station)} · ${id} · genrecast`;
  if (said !== null && said !== saidOf(station)) write(by("spoken"), `now ${saidOf(station)}`);
  said = saidOf(station);
  if (station.heard > 0) river.add(station.heard, station.probabilities);
  showChances(station.probabilities ?? {});
  if (began.length === 0 || began[began.length - 1][1] !== what) began.push([station.since || now(), what]);
  showHour(data.daemon.lost ?? now());
}

function showHour(until) {
  prune(began, until - HOUR);
  draw(by("hour"), began, until - HOUR, until);
  by("hour").setAttribute("aria-label", `Last hour: ${inWords(began, until - HOUR, until)}`);
  write(by("hour-from"), timeOf(until - HOUR));
}

function showChances(probabilities) {
  const order = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, MOST_CHANCES);
  const list = by("chances");
  while (list.children.length > order.length) list.lastChild.remove();
  order.forEach(([label, share], i) => {
    const item = list.children[i] ?? list.appendChild(chance());
    const [swatch, name, bar, figure] = item.children;
    swatch.className = `swatch ${classOf(label)}`;
    write(name, nameOf(label));
    bar.className = `bar ${classOf(label)}`;
    bar.firstChild.style.transform = `scaleX(${share})`;
    write(figure, percent(share));
  });
}

const chance = () =>
  make("li", {}, make("span"), make("span"), make("span", {}, make("i")), make("span", { class: "share" }));

function showTracks(tracks) {
  by("tracks").replaceChildren(...tracks.map(line));
  by("no-tracks").hidden = tracks.length > 0;
}

function line({ title, what, confidence, start, end }) {
  const verdict = what === null ? "no music" : nameOf(what);
  const share = confidence === null ? "" : ` ${percent(confidence)}`;
  return make(
    "tr",
    {},
    make("td", { title: exactTimeOf(end) }, dayOf(end, now())),
    make("td", {}, plain(title) || "without a title"),
    make("td", {}, make("span", { class: `swatch ${what === null ? "" : classOf(what)}` }), verdict + share),
    make("td", {}, lasting(end - start)),
  );
}

async function showHistory() {
  const answer = await fetch(`api/stations/${encodeURIComponent(id)}/history`).catch(() => null);
  if (answer === null) return; // the line at the top says that the server is gone
  const past = await answer.json();
  if (!answer.ok) {
    showPast(null, now());
    write(by("no-history"), `The history can't be read: ${past.message}.`);
    return;
  }
  if (past.hours !== null) showTracks(past.tracks);
  showPast(past.hours, now());
}

setInterval(() => document.hidden || showHistory(), AGAIN_MS);
addEventListener("theme", () => last !== null && show(last));
addEventListener("resize", () => last !== null && showHour(last.daemon.lost ?? now()));
