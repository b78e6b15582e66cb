"use strict";

const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : window.matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

function sortBy(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const numeric = header.classList.contains("number");
  const descending = header.getAttribute("aria-sort") === "ascending";
  const sign = descending ? -1 : 1;
  const keyed = [...table.tBodies[0].rows].map((row) => [row.cells[column].dataset.value, row]);
  keyed.sort(([a], [b]) => {
    if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
    return sign * (numeric ? Number(a) - Number(b) : Number(a > b) - Number(a < b));
  });
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...keyed.map(([, row]) => row));
}

for (const button of document.querySelectorAll("thead button")) {
  button.addEventListener("click", () => sortBy(button.closest("th")));
}

function quoted(text) {
  const safe = /^[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function csv(table) {
  const cells = (row) => [...row.cells].map((cell) => {
    const details = [...cell.querySelectorAll(".detail")].map((part) => part.textContent.trim());
    const text = (cell.querySelector(".text") ?? cell).textContent.trim();
    return quoted([text, ...details].join(" ").replace(/−(?=\d)/g, "-"));
  });
  return [...table.rows].map((row) => cells(row).join(",")).join("\r\n") + "\r\n";
}

for (const button of document.querySelectorAll("button.csv")) {
  button.addEventListener("click", () => {
    const text = csv(button.closest(".table").querySelector("table"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv;charset=utf-8" }));
    link.download = button.dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function openTarget() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const details = target?.closest("details");
  if (details) {
    details.open = true;
    target.scrollIntoView();
  }
}
window.addEventListener("hashchange", openTarget);
openTarget();
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
