"use strict";

// Rows of tables as data: what is sorted, searched, filtered and exported.
masklab.rows = (() => {
  const template = document.createElement("template");
  const order = new Intl.Collator("en", { numeric: true });

  // Printed text as it is typed: a plain minus sign, spaces as they are seen.
  const plain = (text) => text.replace(/−/g, "-").replace(/\s+/g, " ").trim();

  function parse(html) {
    template.innerHTML = html; // made by the page's template, which escapes every text
    return template.content.firstElementChild;
  }

  function content(cell) {
    const text = plain((cell.querySelector(".text") ?? cell).textContent);
    const details = [...cell.querySelectorAll(".detail")].map((part) => plain(part.textContent));
    return { value: cell.dataset.value, text, details };
  }

  // {cells: [{value, text, details}], about: [places of populations], words: all that is searched}
  function read(row) {
    const cells = [...row.cells].map(content);
    const words = cells.map(({ text, details }) => [text, ...details].join(" ")).join("\n");
    return { cells, about: (row.dataset.p ?? "").split(" ").filter(Boolean).map(Number), words: words.toLowerCase() };
  }

  // Ascending, undefined values last whatever the direction; numbers by their value, names as they are shown.
  function comparison(column, numeric, direction) {
    return (one, other) => {
      const [a, b] = [one.cells[column], other.cells[column]];
      if (a.value === undefined || b.value === undefined) return (a.value === undefined) - (b.value === undefined);
      return direction * (numeric ? Number(a.value) - Number(b.value) : order.compare(a.text, b.text));
    };
  }

  const NUMBER = String.raw`(-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*%?`;
  const RANGE = new RegExp(`^${NUMBER}\\s*(?:\\.\\.|…|–|to)\\s*${NUMBER}$`, "i");
  const COMPARED = new RegExp(`^(<=|>=|<|>|≤|≥|=?)\\s*${NUMBER}$`, "i");
  const COMPARISONS = {
    "<": (value, limit) => value < limit,
    ">": (value, limit) => value > limit,
    "<=": (value, limit) => value <= limit,
    ">=": (value, limit) => value >= limit,
    "≤": (value, limit) => value <= limit,
    "≥": (value, limit) => value >= limit,
  };
  const ALLOWED = "a comparison such as >90 or <=0.1, a range such as 90..95, or a number as it is printed";

  // What a numeric column's filter means, as a function of a value; undefined where it means nothing.
  function condition(text) {
    const given = plain(text);
    const range = RANGE.exec(given);
    if (range) {
      const [low, high] = [Number(range[1]), Number(range[2])].sort((a, b) => a - b);
      return (value) => low <= value && value <= high;
    }
    const compared = COMPARED.exec(given);
    if (!compared) return undefined;
    const [, sign, number] = compared;
    if (COMPARISONS[sign]) return (value) => COMPARISONS[sign](value, Number(number));
    const [digits, power] = number.toLowerCase().split("e");
    const half = 0.5000001 * 10 ** (Number(power ?? 0) - (digits.split(".")[1] ?? "").length);
    return (value) => Math.abs(value - Number(number)) <= half;
  }

  // Whether a row passes the filter of one column; undefined for a filter that means nothing.
  function filter(text, column, numeric) {
    if (!numeric) {
      const wanted = plain(text).toLowerCase();
      return ({ cells }) => [cells[column].text, ...cells[column].details].join(" ").toLowerCase().includes(wanted);
    }
    const holds = condition(text);
    return holds && (({ cells }) => cells[column].value !== undefined && holds(Number(cells[column].value)));
  }

  function search(text) {
    const wanted = plain(text).toLowerCase().split(" ");
    return ({ words }) => wanted.every((word) => words.includes(word));
  }

  const INTERVAL = /^\[(-?[\d.e+-]+), (-?[\d.e+-]+)\]$/;

  // A cell of a numeric column as columns of their own: number, spread, interval, and what else is printed.
  function parted({ value, text, details }) {
    const spread = / ± (\S+)$/.exec(text);
    const bare = text.replace(/ ± \S+$/, "").replaceAll(",", "");
    const interval = details.map((detail) => INTERVAL.exec(detail)).find(Boolean);
    const odd = value === undefined ? !["", "–"].includes(text) : Number.isNaN(Number(bare));
    return {
      "": value === undefined ? null : Number(value),
      " ±": spread ? Number(spread[1]) : null,
      " low": interval ? Number(interval[1]) : null,
      " high": interval ? Number(interval[2]) : null,
      " printed": odd ? text : null,
      " note": details.filter((detail) => !INTERVAL.test(detail)).join("; ") || null,
    };
  }

  const named = ({ text, details }) => ({ "": text, " note": details.join("; ") || null });

  // Head and lines of some rows for a file; further columns are there if any row of the table needs them.
  function lines(labels, numeric, all, chosen) {
    const taken = labels.map((_, column) => {
      const part = numeric[column] ? parted : named;
      const cells = new Map(all.map((row) => [row, part(row.cells[column])]));
      const parts = Object.keys(part({ text: "", details: [] }));
      const used = parts.filter((key) => !key || [...cells.values()].some((cell) => cell[key] !== null));
      return { cells, used };
    });
    const head = taken.flatMap(({ used }, column) => used.map((part) => labels[column] + part));
    return [head, ...chosen.map((row) => taken.flatMap(({ cells, used }) => used.map((part) => cells.get(row)[part])))];
  }

  // One line for the clipboard.
  const tabbed = (values) => values.map((value) => masklab.safe(plain(String(value ?? "")))).join("\t");

  return { parse, read, comparison, filter, search, lines, tabbed, ALLOWED };
})();
