// Light, dark or as the system has it. Runs before the page is drawn, so that it never flashes.
"use strict";

(() => {
  const NAMES = { system: "as the system has them", light: "light", dark: "dark" };
  const SIGNS = { system: "◐", light: "☀", dark: "☾" };
  const root = document.documentElement;
  let theme = "system";
  try {
    theme = localStorage.getItem("theme") ?? theme;
  } catch {} // storage may be forbidden: then the choice lasts as long as the page

  function show() {
    root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button === null) return;
    button.textContent = SIGNS[theme] ?? SIGNS.system;
    button.title = `Colours: ${NAMES[theme] ?? NAMES.system}`;
    button.setAttribute("aria-label", button.title);
    dispatchEvent(new Event("theme"));
  }

  show();
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("click", () => {
      const order = Object.keys(NAMES);
      theme = order[(order.indexOf(theme) + 1) % order.length];
      try {
        localStorage.setItem("theme", theme);
      } catch {}
      show();
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
})();
