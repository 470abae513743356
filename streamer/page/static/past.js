// What was kept of a station: the last day hour by hour, and four weeks by hour and weekday, in the viewer's zone.

import { by, make, write } from "./dom.js";
import { classOf, lasting, nameOf, percent, timeOf } from "./looks.js";

const HOUR = 3600;
const MOST = "most of the time";
const days = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const hours = new Intl.DateTimeFormat(undefined, { hour: "numeric" });
const longDays = new Intl.DateTimeFormat(undefined, { weekday: "long" });
const WEEKDAYS = Array.from({ length: 7 }, (_, i) => new Date(2024, 0, 1 + i)); // begins with a Monday

let cells = []; // of the week, 7 times 24: what to seconds

/** Show shares of hours, `[hour, what, seconds]` each; null where no history is kept. */
export function showPast(shares, now) {
  for (const card of ["day-card", "week-card"]) by(card).hidden = shares === null;
  write(by("no-history"), shares === null ? "No history is kept. A section [history] in the configuration keeps one." : "");
  if (shares === null) return;
  showDay(shares, now);
  fold(shares);
  chooseWhat();
  showWeek();
}

function showDay(all, now) {
  const last = Math.floor(now / HOUR) * HOUR;
  const total = new Map();
  const columns = Array.from({ length: 24 }, (_, i) => {
    const hour = last - (23 - i) * HOUR;
    const shares = all.filter((share) => share[0] === hour).sort((a, b) => b[2] - a[2]);
    const pile = make("div", { class: "pile" });
    for (const [, what, seconds] of shares) {
      total.set(what, (total.get(what) ?? 0) + seconds);
      const piece = make("span", { class: classOf(what) });
      piece.style.height = `${Math.min((100 * seconds) / HOUR, 100)}%`;
      pile.prepend(piece);
    }
    const said = shares.map(([, what, seconds]) => `${nameOf(what)} ${lasting(seconds)}`).join(", ");
    const column = make("div", { title: `${timeOf(hour)}: ${said || "nothing kept"}` }, pile);
    column.append(make("small", {}, String(new Date(hour * 1000).getHours())));
    return column;
  });
  by("day").replaceChildren(...columns);
  const order = [...total].sort((a, b) => b[1] - a[1]);
  const words = order.map(([what, seconds]) => {
    return make("span", {}, make("i", { class: `swatch ${classOf(what)}` }), `${nameOf(what)} ${lasting(seconds)}`);
  });
  by("day-legend").replaceChildren(...(words.length > 0 ? words : ["Nothing was kept yet."]));
}

function fold(all) {
  cells = Array.from({ length: 7 * 24 }, () => new Map());
  for (const [hour, what, seconds] of all) {
    const date = new Date(hour * 1000);
    const cell = cells[((date.getDay() + 6) % 7) * 24 + date.getHours()];
    cell.set(what, (cell.get(what) ?? 0) + seconds);
  }
}

function chooseWhat() {
  const chosen = by("week-what").value || MOST;
  const all = [...new Set(cells.flatMap((cell) => [...cell.keys()]))].sort();
  by("week-what").replaceChildren(
    make("option", { value: MOST }, MOST),
    ...all.map((what) => make("option", { value: what }, nameOf(what))),
  );
  by("week-what").value = all.includes(chosen) ? chosen : MOST;
}

function showWeek() {
  const chosen = by("week-what").value;
  const corner = make("td");
  const heads = WEEKDAYS.map((date) => make("th", { scope: "col", abbr: longDays.format(date) }, days.format(date)));
  const lines = Array.from({ length: 24 }, (_, hour) => {
    const head = make("th", { scope: "row" }, hours.format(new Date(2024, 0, 1, hour)));
    return make("tr", {}, head, ...WEEKDAYS.map((_, day) => cell(cells[day * 24 + hour], chosen)));
  });
  by("week").replaceChildren(make("thead", {}, make("tr", {}, corner, ...heads)), make("tbody", {}, ...lines));
  const what = chosen === MOST ? "what was played longest" : `how much of the time ${nameOf(chosen)} was played`;
  write(by("week-note"), `Of the last four weeks: ${what}. Times are those of your zone.`);
}

function cell(lengths, chosen) {
  const all = [...lengths.values()].reduce((sum, seconds) => sum + seconds, 0);
  if (all === 0) return make("td", {}, make("span", { class: "unseen" }, "nothing kept"));
  const first = [...lengths].sort((a, b) => b[1] - a[1])[0];
  const [what, seconds] = chosen === MOST ? first : [chosen, lengths.get(chosen) ?? 0];
  const said = `${nameOf(what)} ${percent(seconds / all)}`;
  const text = chosen === MOST ? nameOf(what) : percent(seconds / all);
  const element = make("td", { class: classOf(what), title: said }, text);
  element.style.setProperty("--part", `${seconds === 0 ? 0 : Math.round(10 + (30 * seconds) / all)}%`);
  return element;
}

by("week-what").addEventListener("change", showWeek);
