// How what is said looks: names, colours, shapes, times. Nothing is told by colour alone.

const KNOWN = [
  "blues", "classical", "country", "disco", "electronic", "folk", "hiphop",
  "jazz", "metal", "pop", "reggae", "rock", "speech", "noise",
];
const STATES = new Map([["no-signal", "offline"], ["silence", "quiet"], ["unsure", "unsure"]]);
const LEARNING = { connecting: "connecting", connected: "tuning in", stopped: "stopped" };

/** What a station plays: a genre in state music, else the state. */
export const whatOf = (station) => station.genre ?? station.state;

/** The name of it for people. */
export const nameOf = (what) => STATES.get(what) ?? what ?? "unknown";

/** The name of what a station does, with why it is offline. */
export function saidOf(station) {
  if (station.state !== "no-signal") return nameOf(whatOf(station));
  return LEARNING[station.event] ?? "offline";
}

/** The sentence below a station: its title, or why there is none. */
export function titleOf(station) {
  if (station.state !== "no-signal") return plain(station.title);
  return plain(station.detail || station.reason).replace(/^\w+:\/\/\S+: /, ""); // whose, one knows
}

/** A stranger's text without what would turn it round, or break its line. */
export const plain = (text) => (text ?? "").replace(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu, " ");

/** What comes first where all are named: genres by their names, then what is none. */
export const rankOf = (what) => ["speech", "noise", "silence", "unsure", "no-signal"].indexOf(what);

/** The CSS class that gives something its colour and shape. */
export function classOf(what) {
  if (STATES.has(what)) return `is-${what}`;
  const known = KNOWN.indexOf(what);
  return `is-${known >= 0 ? known : hash(what) % KNOWN.length}`;
}

function hash(text) {
  let sum = 0;
  for (const letter of text) sum = (sum * 31 + letter.codePointAt(0)) >>> 0;
  return sum;
}

const colours = new Map();
addEventListener("theme", () => colours.clear());

/** The colour of a CSS property as it is now, for canvases. */
export function colour(property, element = document.body) {
  if (!colours.has(property)) {
    const probe = document.createElement("i");
    probe.style.color = `var(${property})`;
    element.append(probe);
    colours.set(property, getComputedStyle(probe).color);
    probe.remove();
  }
  return colours.get(property);
}

/** The colour of a genre or a state. */
export const colourOf = (what) => colour(`--${classOf(what)}`);

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const second = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const at = (format) => (seconds) => format.format(new Date(seconds * 1000));

/** A time in the viewer's zone: hours and minutes; with seconds; with all; and with the day where it's not today. */
export const timeOf = at(clock);
export const secondOf = at(second);
export const exactTimeOf = at(exact);
export const dayOf = (seconds, now) => (now - seconds < 72_000 ? timeOf : at(day))(seconds);

/** A length of time in words. */
export function lasting(seconds) {
  const s = Math.max(Math.round(seconds), 0);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor((s % 86_400) / 3600)} h`;
}

export const percent = (share) => `${Math.round(100 * share)} %`;
export const decibel = (level) => (level === null ? "" : `${level} dB`.replace("-", "−"));
/** How full a level meter is: 0 at -60 dB, 1 at full scale. */
export const loudness = (level) => (level === null ? 0 : Math.min(Math.max(1 + level / 60, 0), 1));
