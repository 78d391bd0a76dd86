// Light, dark, or as the system says; remembered in this browser.

import { $, icon } from "./dom.js";

const ORDER = ["auto", "light", "dark"];
const ICONS = { auto: "auto", light: "sun", dark: "moon" };
const WORDS = { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" };

function stored() {
  try {
    return ORDER.includes(localStorage.getItem("theme")) ? localStorage.getItem("theme") : "auto";
  } catch {
    return "auto";
  }
}

function apply(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const button = $("theme");
  if (!button) return;
  button.replaceChildren(icon(ICONS[theme]));
  button.title = WORDS[theme];
  button.setAttribute("aria-label", WORDS[theme]);
}

export function startTheme() {
  let theme = stored();
  apply(theme);
  $("theme")?.addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Not remembered, then.
    }
    apply(theme);
  });
}
