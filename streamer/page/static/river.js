// The probabilities of the last minutes, one on top of the other: the wider a band, the surer.

import { colour, colourOf, nameOf, timeOf } from "./looks.js";

const SHOWN_S = 300;

export class River {
  /** @param {HTMLElement} box */
  constructor(box) {
    this.box = box;
    this.labels = [];
    this.times = [];
    this.values = []; // of each time, in the order of the labels; null in a hole
    addEventListener("theme", () => this.build());
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(box);
  }

  /** Begin with what the server has kept. */
  begin({ labels, times, values }) {
    this.labels = labels;
    this.times = times;
    this.values = values.map((row) => (row.some((value) => value > 0) ? row : null));
    this.build();
  }

  /** Take an answer; null where there is none. */
  add(time, probabilities) {
    const labels = probabilities === null ? this.labels : Object.keys(probabilities);
    if (time <= (this.times[this.times.length - 1] ?? 0)) return;
    if (labels.join() !== this.labels.join()) this.begin({ labels, times: [], values: [] });
    this.times.push(time);
    this.values.push(probabilities === null ? null : Object.values(probabilities));
    while (this.times[0] < time - SHOWN_S) {
      this.times.shift();
      this.values.shift();
    }
    this.plot?.setData(this.data());
  }

  /** uPlot's columns: times, then sums from all labels down to the first alone, each painted over the one before. */
  data() {
    const sums = this.labels.map(() => []);
    for (const row of this.values) {
      let sum = 0;
      this.labels.forEach((_, i) => {
        sum += row === null ? 0 : row[i];
        sums[i].push(row === null ? null : Math.min(sum, 1));
      });
    }
    return [this.times, ...sums.reverse()];
  }

  size() {
    return { width: this.box.clientWidth, height: this.box.clientHeight };
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    if (this.labels.length === 0) return;
    const [dim, line] = [colour("--dim"), colour("--line")];
    const axis = { stroke: dim, font: "12px system-ui, sans-serif", grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const options = {
      ...this.size(),
      padding: [6, 4, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: true, range: (_, __, last) => [last - SHOWN_S, last] }, y: { range: [0, 1] } },
      axes: [
        { ...axis, space: 90, values: (_, splits) => splits.map(timeOf) },
        { ...axis, size: 48, values: (_, splits) => splits.map((share) => `${Math.round(100 * share)} %`) },
      ],
      series: [
        {},
        ...[...this.labels].reverse().map((label) => ({
          label: nameOf(label), fill: colourOf(label), width: 0, points: { show: false },
        })),
      ],
    };
    this.plot = new uPlot(options, this.data(), this.box);
  }
}
