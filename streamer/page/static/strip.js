// A strip of the last hour: music is high, speech half as high, noise low; quiet a line, offline hatched,
// unsure dotted. So that it can be read without colours too.

import { clean } from "./dom.js";
import { colourOf, lasting, nameOf } from "./looks.js";

export const HOUR = 3600;
const HEIGHTS = { speech: 0.62, noise: 0.36, silence: 0.12, "no-signal": 1, unsure: 1 };

/**
 * Draw it.
 * @param {Array<[number, string|null]>} began what began when, oldest first
 * @param {number} from @param {number} until seconds since the epoch @param {number} heard what is known until
 */
export function draw(canvas, began, from, until, heard = until) {
  const context = clean(canvas);
  const { width, height } = canvas;
  const scale = width / (until - from);
  began.forEach(([start, what], i) => {
    const end = Math.min(began[i + 1]?.[0] ?? heard, heard);
    if (what === null || end <= from || end <= start) return;
    const left = Math.round(Math.max(start - from, 0) * scale);
    const right = Math.max(Math.round((end - from) * scale), left + 1);
    const tall = Math.max(Math.round(height * (HEIGHTS[what] ?? 1)), 2);
    context.fillStyle = what === "no-signal" || what === "unsure" ? texture(context, what) : colourOf(what);
    context.fillRect(left, height - tall, right - left, tall);
  });
}

/** Say it in words: what took how long, the longest first. */
export function inWords(began, from, until) {
  const lengths = new Map();
  began.forEach(([start, what], i) => {
    const seconds = Math.min(began[i + 1]?.[0] ?? until, until) - Math.max(start, from);
    if (what !== null && seconds > 0) lengths.set(what, (lengths.get(what) ?? 0) + seconds);
  });
  const order = [...lengths].sort((a, b) => b[1] - a[1]).slice(0, 6);
  return order.map(([what, seconds]) => `${nameOf(what)} ${lasting(seconds)}`).join(", ") || "nothing";
}

/** Drop what ended before the hour. */
export function prune(began, from) {
  while (began.length > 1 && began[1][0] < from) began.shift();
}

const textures = new Map();
addEventListener("theme", () => textures.clear());

function texture(context, what) {
  if (!textures.has(what)) {
    const size = 6 * Math.ceil(devicePixelRatio || 1);
    const tile = new OffscreenCanvas(size, size);
    const pen = tile.getContext("2d");
    pen.fillStyle = pen.strokeStyle = colourOf(what);
    if (what === "unsure") {
      pen.fillRect(0, 0, size / 3, size / 3);
      pen.fillRect(size / 2, size / 2, size / 3, size / 3);
    } else {
      pen.globalAlpha = 0.22;
      pen.fillRect(0, 0, size, size);
      pen.globalAlpha = 1;
      pen.lineWidth = size / 5;
      for (const x of [-size, 0, size]) {
        pen.moveTo(x - 1, size + 1);
        pen.lineTo(x + size + 1, -1);
      }
      pen.stroke();
    }
    textures.set(what, context.createPattern(tile, "repeat"));
  }
  return textures.get(what);
}

