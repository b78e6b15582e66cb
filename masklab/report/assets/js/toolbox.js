"use strict";

// Highlight, rename and hide populations, everywhere on the page; the address carries it.
{
  const box = document.getElementById("toolbox");
  const style = document.getElementById("toolbox-style");
  const fields = [...box.querySelectorAll("fieldset[data-p]")];
  const word = (text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  const found = (list) => {
    const longest = [...list].sort((a, b) => b.length - a.length);
    if (!longest.length) return /(?!)/g;
    return new RegExp(`(?<![\\w.+-])(?:${longest.map(word).join("|")})(?![\\w+-]|\\.\\w)`, "g");
  };
  // In sentences a name that is a plain word or number cannot be told from the word or the number.
  const distinct = masklab.populations.filter((name) => /\p{L}/u.test(name) && /[\d+_-]/.test(name));
  const inSentences = found(distinct);
  const inRows = found(masklab.populations);

  const original = new WeakMap();
  const literal = "script, style, code, pre, textarea, .literal, #toolbox legend";

  // Population names in all texts below an element become what they are called now.
  function relabel(root) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const before = original.get(node) ?? node.nodeValue;
      const names = node.parentElement.closest("tr[data-p] [data-of]") ? inRows : inSentences;
      names.lastIndex = 0;
      if (!names.test(before) || node.parentElement.closest(literal)) continue;
      original.set(node, before);
      const after = before.replace(names, (name) => masklab.called(name));
      if (node.nodeValue !== after) node.nodeValue = after;
    }
    for (const drawing of root.querySelectorAll("svg[aria-label]")) {
      const before = original.get(drawing) ?? drawing.getAttribute("aria-label");
      original.set(drawing, before);
      drawing.setAttribute("aria-label", before.replace(inSentences, (name) => masklab.called(name)));
    }
  }

  let renamed = false;
  function apply() {
    const { hide, mark } = masklab.settings;
    const rules = masklab.populations.map((name, k) => {
      const own = `svg.figure .p${k}`;
      // names stay to be read: what has no colour of its own, such as the row of a matrix, is not hidden
      if (hide.includes(name)) return `${own}:not(text) { display: none; } text.p${k} { opacity: 0.5; }`;
      if (mark.length && !mark.includes(name)) return `${own}:not(text) { opacity: 0.13; } text.p${k} { opacity: 0.6; }`;
      return "";
    });
    for (const name of mark) {
      rules.push(`tr[data-p~="${masklab.populations.indexOf(name)}"] > * { background: var(--mark); }`);
    }
    style.textContent = rules.join("\n");
    const some = Object.keys(masklab.settings.names).length > 0;
    if (some || renamed) relabel(document.querySelector("main"));
    renamed = some;
    for (const field of fields) {
      const name = masklab.populations[field.dataset.p];
      field.querySelector(".mark").checked = mark.includes(name);
      field.querySelector(".hide").checked = hide.includes(name);
      const input = field.querySelector(".rename");
      if (document.activeElement !== input) input.value = masklab.renamed(name);
    }
    const changed = hide.length + mark.length + Object.keys(masklab.settings.names).length;
    box.querySelector(".reset").disabled = changed === 0 && !masklab.settings.theme;
  }

  const toggled = (list, name, on) => [...list.filter((one) => one !== name), ...(on ? [name] : [])];

  for (const field of fields) {
    const name = masklab.populations[field.dataset.p];
    field.querySelector(".mark").addEventListener("change", (event) => {
      masklab.change({ mark: toggled(masklab.settings.mark, name, event.target.checked) });
    });
    field.querySelector(".hide").addEventListener("change", (event) => {
      masklab.change({ hide: toggled(masklab.settings.hide, name, event.target.checked) });
    });
    field.querySelector(".rename").addEventListener("change", (event) => {
      const { [name]: _, ...others } = masklab.settings.names;
      const given = event.target.value.trim();
      masklab.change({ names: given && given !== name ? { ...others, [name]: given } : others });
    });
  }
  box.querySelector(".reset").addEventListener("click", () => {
    masklab.change({ theme: "", hide: [], mark: [], names: {} });
    masklab.say("All settings are reset");
  });
  box.querySelector(".link").addEventListener("click", async () => {
    await masklab.copy(location.href);
    masklab.say("The address with these settings is copied");
  });
  for (const button of document.querySelectorAll("button.copy-text")) {
    button.addEventListener("click", async () => {
      await masklab.copy(document.getElementById(button.dataset.of).textContent);
      masklab.say("Copied");
    });
    button.hidden = false;
  }
  document.addEventListener("masklab:settings", apply);
  box.hidden = false;
  masklab.relabel = relabel;

  // On paper nothing can be unfolded; afterwards everything is as it was.
  let unfolded = [];
  window.addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("main details:not([open])")];
    for (const details of unfolded) details.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const details of unfolded) details.open = false;
    unfolded = [];
  });
}
