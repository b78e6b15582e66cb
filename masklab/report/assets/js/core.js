"use strict";

// What the parts of the page share: the compressed content, settings in the address, downloads.
const masklab = (() => {
  const element = (id) => document.getElementById(id);

  async function unpacked(id) {
    const bytes = Uint8Array.from(atob(element(id).textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  // The document that the page carries: figures' data, rows that are not laid out yet, explorers.
  let carried;
  const payload = () => (carried ??= unpacked("payload").then(JSON.parse));

  // Names of all populations; the place of one is k in the classes p<k> of whatever is drawn of it.
  const populations = JSON.parse(element("populations").textContent);

  // Settings: {theme: "light"|"dark"|"", hide: [name], mark: [name], names: {name: other}}.
  const NOTHING = { theme: "", hide: [], mark: [], names: {} };
  let settings = { ...NOTHING };

  function split(hash) {
    const place = hash.indexOf("?");
    return place < 0 ? [hash.slice(1), null] : [hash.slice(1, place), hash.slice(place + 1)];
  }

  function parsed(text) {
    const given = new URLSearchParams(text);
    const known = (key) => given.getAll(key).filter((name) => populations.includes(name));
    const names = populations.map((name) => [name, given.get(`name:${name}`)]);
    return {
      theme: ["light", "dark"].includes(given.get("theme")) ? given.get("theme") : "",
      hide: known("hide"),
      mark: known("mark"),
      names: Object.fromEntries(names.filter(([, other]) => other)),
    };
  }

  function written() {
    const given = new URLSearchParams();
    if (settings.theme) given.append("theme", settings.theme);
    for (const name of settings.hide) given.append("hide", name);
    for (const name of settings.mark) given.append("mark", name);
    for (const [name, other] of Object.entries(settings.names)) given.append(`name:${name}`, other);
    return given.toString();
  }

  function write(anchor) {
    const text = written();
    history.replaceState(null, "", anchor || text ? `#${anchor}${text && "?"}${text}` : location.pathname + location.search);
  }

  function change(part) {
    settings = { ...settings, ...part };
    write(split(location.hash)[0]);
    document.dispatchEvent(new CustomEvent("masklab:settings", { detail: settings }));
  }

  function reveal(anchor) {
    let name = anchor;
    try {
      name = decodeURIComponent(anchor);
    } catch {
      // an address that is no encoding is taken literally
    }
    const target = name && element(name);
    if (!target) return;
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
    target.scrollIntoView();
  }

  // Following a link within the page keeps the settings; an address with other settings brings these.
  function followed() {
    const [anchor, given] = split(location.hash);
    if (given === null) write(anchor);
    else change(parsed(given));
    reveal(anchor);
  }

  function download(name, type, parts) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type }));
    link.download = name.replace(/[^\w.+-]+/g, "-");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
  }

  // What a spreadsheet would take for a formula becomes text.
  const safe = (text) => (/^\s*[=+\-@]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);

  function csvLine(values) {
    return values
      .map((value) => {
        if (value === null || value === undefined) return "";
        const text = String(value);
        return typeof value === "number" ? text : `"${safe(text).replaceAll('"', '""')}"`;
      })
      .join(",");
  }

  function csv(name, lines) {
    const text = lines.map(csvLine).join("\r\n") + "\r\n";
    download(name, "text/csv;charset=utf-8", ["\ufeff", text]);
  }

  // What a screen reader hears when something happened that is only seen.
  function say(text) {
    element("status").textContent = text;
  }

  // What a population is called now; empty where it has its own name.
  const renamed = (name) => (Object.hasOwn(settings.names, name) ? settings.names[name] : "");
  const called = (name) => renamed(name) || name;

  window.addEventListener("hashchange", followed);
  const start = () => {
    // above the text, contents and toolbox would fill a narrow screen
    if (!matchMedia("(min-width: 64rem)").matches)
      for (const part of document.querySelectorAll(".side details")) part.open = false;
    const given = split(location.hash)[1];
    if (given !== null) settings = parsed(given);
    document.dispatchEvent(new CustomEvent("masklab:settings", { detail: settings }));
    reveal(split(location.hash)[0]);
  };

  return {
    payload,
    unpacked,
    populations,
    change,
    called,
    renamed,
    safe,
    csv,
    csvLine,
    copy,
    download,
    say,
    start,
    get settings() {
      return settings;
    },
  };
})();
