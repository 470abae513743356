// The live mel spectrogram: what comes once a second is let run in evenly, ten columns a second.

import { clean } from "./dom.js";

const COLUMNS = 300; // half a minute
const TICK_MS = 100;
const MOST_BEHIND = 15; // columns that wait to run in; more are shown at once
const RANGE_DB = 55; // below the loudest of late
const FALL_DB = 0.3; // a message, by which the loudest of late goes down
const STOPS = [[4, 3, 12], [40, 17, 89], [110, 30, 129], [181, 54, 122], [237, 105, 83], [254, 176, 120], [252, 253, 191]];

const PALETTE = Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (STOPS.length - 1);
  const at = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[at].map((from, i) => from + (place - at) * (STOPS[at + 1][i] - from));
});

export class Mel {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.count = this.shown = 0; // columns that came, and that have run in
    this.position = null;
    this.top = null;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    setInterval(() => this.run(), TICK_MS);
  }

  /** Take a message. */
  take({ position, seconds, columns, bands, floor_db: floor, step_db: step, data }) {
    if (this.store?.height !== bands) this.store = new OffscreenCanvas(COLUMNS, bands);
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    const missing = this.position === null ? 0 : position - seconds - this.position;
    if (missing > 0.3 || missing < -0.3) this.blank(Math.min(Math.round(Math.abs(missing) * 10), COLUMNS));
    this.position = position;
    let loudest = 0;
    for (const byte of bytes) loudest = Math.max(loudest, byte);
    this.top = Math.max(floor + step * loudest, (this.top ?? -Infinity) - FALL_DB);
    const context = this.store.getContext("2d");
    for (let column = 0; column < columns; column++) {
      const image = context.createImageData(1, bands);
      for (let band = 0; band < bands; band++) {
        const below = this.top - (floor + step * bytes[column * bands + band]);
        const level = Math.round(255 * Math.min(Math.max(1 - below / RANGE_DB, 0), 1));
        image.data.set(PALETTE[level], 4 * (bands - 1 - band));
        image.data[4 * (bands - 1 - band) + 3] = 255;
      }
      context.putImageData(image, this.count++ % COLUMNS, 0);
    }
    if (this.still.matches || this.count - this.shown > MOST_BEHIND) this.shown = this.count - (this.still.matches ? 0 : 10);
    if (this.still.matches) this.draw();
  }

  blank(columns) {
    const context = this.store.getContext("2d");
    for (let i = 0; i < columns; i++) context.clearRect(this.count++ % COLUMNS, 0, 1, this.store.height);
  }

  run() {
    if (document.hidden || this.still.matches || this.shown >= this.count) return;
    this.shown++;
    this.draw();
  }

  draw() {
    const context = clean(this.canvas);
    const { width, height } = this.canvas;
    const [wide, bands] = [width / COLUMNS, this.store.height];
    const oldest = Math.max(this.shown - COLUMNS, 0);
    const cut = this.shown - (this.shown % COLUMNS); // where the store begins anew
    const piece = (from, to) => {
      if (to <= from) return;
      const left = width - (this.shown - from) * wide;
      context.drawImage(this.store, from % COLUMNS, 0, to - from, bands, left, 0, (to - from) * wide, height);
    };
    // Columns that have come and not run in stand where the oldest ones did: those are not drawn.
    piece(Math.max(oldest, this.count - COLUMNS), cut);
    piece(Math.max(cut, oldest), this.shown);
  }
}
