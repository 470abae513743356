// The page of all stations. The list is in memory; of the table only the rows that are seen exist.

import { by, make, write } from "./dom.js";
import { follow, now } from "./feed.js";
import { decibel, exactTimeOf, classOf, lasting, loudness, rankOf, saidOf, titleOf, timeOf, whatOf } from "./looks.js";
import { Rows } from "./rows.js";
import { HOUR, draw, inWords, prune } from "./strip.js";

const stations = new Map(); // id to what the server said of it last
const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

// What a column is called, and what it is sorted by; those of figures begin with the highest.
const COLUMNS = {
  station: ["Station", (a, b) => compare(a.id, b.id)],
  now: ["Now", (a, b) => compare(saidOf(a), saidOf(b)) || b.confidence - a.confidence],
  since: ["Since", (a, b) => b.since - a.since],
  title: ["Title", (a, b) => (titleOf(a) === "") - (titleOf(b) === "") || compare(titleOf(a), titleOf(b))],
  level: ["Level", (a, b) => (b.level ?? -999) - (a.level ?? -999)],
  hour: ["Last hour", null],
};

const asked = new URLSearchParams(location.search);
let words = asked.get("q") ?? "";
let only = new Set(asked.getAll("only"));
let [column, turned] = [asked.get("sort") in COLUMNS ? asked.get("sort") : "station", asked.has("down")];
let focused = null; // the station whose changes are read aloud

const rows = new Rows(by("stations"), by("rows"), { build, fill, focus: (id) => (focused = id) });

follow("events", {
  all(data) {
    stations.clear();
    for (const { meter, strip, ...station } of data.stations) {
      const [confidence, level] = meter;
      const began = [];
      for (let i = 0; i < strip.length; i += 2) began.push([data.now - strip[i], data.names[strip[i + 1]]]);
      stations.set(station.id, { ...station, confidence, level, began, lost: data.daemon.lost, version: 0 });
    }
    list();
  },
  some(data) {
    for (const id of data.gone) stations.delete(id); // first: what has gone may have come again
    for (const row of data.rows) update(row);
    for (const [id, confidence, level] of data.meters) {
      const station = stations.get(id);
      if (station !== undefined) Object.assign(station, { confidence, level, version: station.version + 1 });
    }
    for (const station of stations.values()) station.lost = data.daemon.lost;
    if (data.rows.length > 0 || data.gone.length > 0 || column === "level" || column === "now") list();
    else rows.paint();
  },
});

function update(row) {
  const before = stations.get(row.id);
  const began = before?.began ?? [];
  const what = whatOf(row);
  if (began.length === 0 || began[began.length - 1][1] !== what) {
    began.push([Math.max(row.since, began[began.length - 1]?.[0] ?? 0), what]);
  }
  const { confidence = 0, level = null, version = 0 } = before ?? {};
  stations.set(row.id, { ...row, confidence, level, began, lost: null, version: version + 1 });
  if (row.id === focused && before !== undefined && saidOf(before) !== saidOf(row)) {
    write(by("spoken"), `${row.id}: ${saidOf(row)}`);
  }
}

/** Sort and filter anew, and show. */
function list() {
  const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = new Map();
  const found = [];
  for (const station of stations.values()) {
    const said = saidOf(station);
    const text = `${station.id} ${said} ${titleOf(station)}`.toLowerCase();
    if (!wanted.every((word) => text.includes(word))) continue;
    counts.set(said, [(counts.get(said)?.[0] ?? 0) + 1, whatOf(station)]);
    if (only.size === 0 || only.has(said)) found.push(station);
  }
  const order = COLUMNS[column][1];
  found.sort((a, b) => (turned ? -1 : 1) * order(a, b) || compare(a.id, b.id));
  rows.show(found);
  const all = stations.size;
  write(by("count"), found.length === all ? `${all} station${all === 1 ? "" : "s"}` : `${found.length} of ${all}`);
  write(by("empty"), all === 0 ? "Waiting for the first station." : "No station is like that.");
  by("empty").hidden = found.length > 0;
  showShares(counts);
}

/** Show how many stations play what, each a button that shows these alone. */
function showShares(counts) {
  for (const said of only) if (!counts.has(said)) counts.set(said, [0, said]);
  const order = [...counts].sort((a, b) => rankOf(a[1][1]) - rankOf(b[1][1]) || compare(a[0], b[0]));
  const shares = order.map(([, [count, what]]) => {
    const share = make("span", { class: classOf(what) });
    share.style.flexGrow = count;
    return share;
  });
  by("shares").replaceChildren(...shares);
  const before = new Map([...by("chips").children].map((chip) => [chip.dataset.said, chip]));
  for (const [said, chip] of before) if (!counts.has(said)) chip.remove();
  order.forEach(([said, [count, what]], place) => {
    const chip = before.get(said) ?? newChip(said, what);
    write(chip.lastChild, String(count));
    chip.setAttribute("aria-pressed", String(only.has(said)));
    if (by("chips").children[place] !== chip) by("chips").insertBefore(chip, by("chips").children[place] ?? null);
  });
}

function newChip(said, what) {
  const chip = make("button", { type: "button", class: "chip", "data-said": said });
  chip.append(make("span", { class: `swatch ${classOf(what)}` }), said, " ", make("b"));
  chip.addEventListener("click", () => {
    if (!only.delete(said)) only.add(said);
    remember();
  });
  return chip;
}

function build() {
  const link = make("a");
  const [swatch, what, share, bar] = [make("span"), make("span", { class: "what" }), make("span", { class: "share" }), make("i")];
  const [ago, since] = [make("span", { class: "ago" }), make("time")];
  const [title, loud, level] = [make("span"), make("i"), make("span", { class: "db" })];
  const strip = make("canvas", { class: "strip", role: "img" });
  const cell = (name, ...children) => make("td", { role: "cell", class: name }, ...children);
  const element = make(
    "tr",
    { role: "row" },
    make("th", { role: "rowheader", scope: "row", class: "station" }, link),
    cell("now", swatch, what, share, make("span", { class: "bar" }, bar)),
    cell("since", ago, " ", since),
    cell("title", title),
    cell("level", make("span", { class: "bar" }, loud), level),
    cell("hour", strip),
  );
  return Object.assign(element, { link, parts: { link, swatch, what, share, bar, since, ago, title, loud, level, strip } });
}

function fill(element, station) {
  const time = station.lost ?? now();
  const look = `${station.id} ${station.version} ${Math.floor(time / 15)} ${station.lost}`;
  if (element.look === look) return;
  element.look = look;
  const { link, swatch, what, share, bar, since, ago, title, loud, level, strip } = element.parts;
  write(link, station.id);
  link.href = `station/${encodeURIComponent(station.id)}`;
  element.className = classOf(whatOf(station)) + (station.state === "no-signal" ? " off" : "");
  swatch.className = `swatch ${classOf(whatOf(station))}`;
  write(what, saidOf(station));
  const measured = station.state === "no-signal" || station.state === "silence";
  write(share, measured ? "" : `${station.confidence} %`);
  bar.style.transform = `scaleX(${measured ? 0 : station.confidence / 100})`;
  write(since, station.since > 0 ? timeOf(station.since) : "");
  if (station.since > 0) since.title = exactTimeOf(station.since);
  since.dateTime = new Date(station.since * 1000).toISOString();
  write(ago, station.since > 0 ? lasting(time - station.since) : "");
  write(title, titleOf(station));
  title.title = titleOf(station);
  write(level, decibel(station.level));
  loud.style.transform = `scaleX(${loudness(station.level)})`;
  drawStrip(strip, station, time);
}

function drawStrip(canvas, station, time) {
  const from = time - HOUR;
  prune(station.began, from);
  const last = station.began[station.began.length - 1];
  const look = `${canvas.clientWidth} ${Math.floor(time / 15)} ${station.id} ${last?.[0]} ${last?.[1]}`;
  if (canvas.look === look) return;
  canvas.look = look;
  draw(canvas, station.began, from, time);
  canvas.setAttribute("aria-label", inWords(station.began, from, time));
}

/** Sort by a column; by the same once more, the other way round. */
function sortBy(name) {
  turned = name === column && !turned;
  column = name;
  remember();
}

/** Keep what is asked for in the address, so that it can be gone back to and sent to others. */
function remember() {
  const query = new URLSearchParams();
  if (words) query.set("q", words);
  for (const said of only) query.append("only", said);
  if (column !== "station") query.set("sort", column);
  if (turned) query.set("down", "");
  history.replaceState(null, "", `${location.pathname}${query.size > 0 ? "?" : ""}${query}`);
  showOrder();
  list();
}

function showOrder() {
  for (const [name, [, order]] of Object.entries(COLUMNS)) {
    if (order === null) continue;
    const sort = name !== column ? "none" : turned ? "descending" : "ascending";
    by(`by-${name}`).setAttribute("aria-sort", sort);
  }
  by("order").value = column;
}

for (const [name, [label, order]] of Object.entries(COLUMNS)) {
  const head = make("th", { role: "columnheader", scope: "col", class: name, id: `by-${name}` });
  if (order === null) head.append(label);
  else {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", () => sortBy(name));
    head.append(button);
    by("order").append(make("option", { value: name }, `By ${label.toLowerCase()}`));
  }
  by("heads").append(head);
}
by("order").addEventListener("change", (event) => {
  [column, turned] = [event.target.value, false];
  remember();
});
by("filter").value = words;
by("filter").addEventListener("input", (event) => {
  words = event.target.value;
  remember();
});
addEventListener("keydown", (event) => {
  const filter = by("filter");
  if (event.key === "/" && document.activeElement !== filter && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    filter.focus();
    filter.select();
  } else if (event.key === "ArrowDown" && document.activeElement === filter) {
    event.preventDefault();
    rows.go(0);
  } else if (event.key === "Escape" && document.activeElement === filter && words !== "") {
    filter.value = words = "";
    remember();
  }
});
addEventListener("theme", () => {
  for (const element of document.querySelectorAll("canvas")) element.look = null;
  for (const element of rows.elements()) element.look = null;
  rows.paint();
});
showOrder();
