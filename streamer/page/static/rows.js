// A long list as a table of which only the rows in sight exist, each the same element as long as it is seen.

const BEYOND = 8; // rows above and below what is seen, so that scrolling finds them there

export class Rows {
  /**
   * @param {HTMLTableElement} table @param {HTMLElement} body of it
   * @param {{build: function(): HTMLElement, fill: function(HTMLElement, Object), focus: function(string)}} how
   *   to make a row, which has a `link`, to fill it with an item, and who is told which one has the focus
   */
  constructor(table, body, how) {
    this.table = table;
    this.body = body;
    this.how = how;
    this.items = [];
    this.shown = new Map(); // id to element
    this.free = [];
    this.active = null; // the id of the row that Tab leads to
    [this.above, this.below] = [this.space(), this.space()];
    body.append(this.above, this.below);
    addEventListener("scroll", () => this.soon(), { passive: true });
    addEventListener("resize", () => this.soon());
    body.addEventListener("keydown", (event) => this.press(event));
    body.addEventListener("focusin", (event) => this.focus(event.target.closest("tr")?.item?.id));
  }

  /** Show these, each with an `id`, in this order. */
  show(items) {
    this.items = items;
    this.table.setAttribute("aria-rowcount", String(items.length + 1));
    this.paint();
  }

  elements() {
    return this.shown.values();
  }

  /** Bring what is seen up to date. */
  paint() {
    const height = parseFloat(getComputedStyle(this.table).getPropertyValue("--row"));
    const top = this.above.getBoundingClientRect().top;
    const count = this.items.length;
    const first = Math.min(Math.max(Math.floor(-top / height) - BEYOND, 0), count);
    const last = Math.min(Math.max(Math.ceil((innerHeight - top) / height) + BEYOND, first), count);
    const seen = this.items.slice(first, last);
    const focused = this.body.contains(document.activeElement) ? this.active : null;
    this.release(new Set(seen.map((item) => item.id)));
    if (!seen.some((item) => item.id === this.active) && focused === null) this.active = null;
    const reach = this.active ?? this.items[Math.max(Math.floor(-top / height), 0)]?.id;
    let place = this.above;
    seen.forEach((item, i) => {
      const element = this.shown.get(item.id) ?? this.take(item.id);
      if (place.nextSibling !== element) place.after(element);
      place = element;
      element.item = item;
      element.setAttribute("aria-rowindex", String(first + i + 2));
      element.link.tabIndex = item.id === reach ? 0 : -1;
      this.how.fill(element, item);
    });
    this.above.firstChild.style.height = `${first * height}px`;
    this.below.firstChild.style.height = `${(count - last) * height}px`;
    // An element that was moved to another place has lost the focus.
    if (focused !== null && !this.body.contains(document.activeElement)) this.shown.get(focused)?.link.focus({ preventScroll: true });
  }

  /** Bring the focus to the row of this number. */
  go(number) {
    const item = this.items[Math.min(Math.max(number, 0), this.items.length - 1)];
    if (item === undefined) return;
    this.active = item.id;
    if (!this.shown.has(item.id)) {
      const height = parseFloat(getComputedStyle(this.table).getPropertyValue("--row"));
      scrollTo(0, scrollY + this.above.getBoundingClientRect().top + this.items.indexOf(item) * height - innerHeight / 2);
      this.paint();
    }
    this.shown.get(item.id).link.focus();
  }

  press(event) {
    const at = this.items.findIndex((item) => item.id === this.active);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: this.items.length - 1 }[event.key];
    if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.go(to);
  }

  focus(id) {
    if (id === undefined) return;
    const before = this.shown.get(this.active);
    if (before !== undefined) before.link.tabIndex = -1;
    this.active = id;
    this.shown.get(id).link.tabIndex = 0;
    this.how.focus(id);
  }

  soon() {
    this.waits ??= requestAnimationFrame(() => {
      this.waits = null;
      this.paint();
    });
  }

  take(id) {
    const element = this.free.pop() ?? this.how.build();
    this.shown.set(id, element);
    return element;
  }

  release(keep) {
    for (const [id, element] of this.shown) {
      if (keep.has(id)) continue;
      this.shown.delete(id);
      this.free.push(element);
      element.remove();
    }
  }

  /** Give a row that takes the place of those that don't exist. */
  space() {
    const row = document.createElement("tr");
    row.setAttribute("role", "presentation");
    row.className = "space";
    const cell = document.createElement("td");
    cell.setAttribute("role", "presentation");
    cell.colSpan = 6;
    row.append(cell);
    return row;
  }
}
