"use strict";

// Light or dark: what the reader chose, else what the system says.
{
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const shown = () => masklab.settings.theme || (system.matches ? "dark" : "light");

  document.addEventListener("masklab:settings", () => {
    if (masklab.settings.theme) root.dataset.theme = masklab.settings.theme;
    else delete root.dataset.theme;
  });
  document.getElementById("theme").addEventListener("click", () => {
    masklab.change({ theme: shown() === "dark" ? "light" : "dark" });
  });
}
