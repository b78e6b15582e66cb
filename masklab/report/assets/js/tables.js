"use strict";

// Tables that sort, search, filter, copy and export what is shown of them.
masklab.tables = (() => {
  const FEW = 8; // so many rows are seen at a glance

  const make = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const button = (text, click) => {
    const made = make("button", { type: "button", textContent: text });
    made.addEventListener("click", click);
    return made;
  };
  const number = (count) => count.toLocaleString("en");
  const rows = (count) => `${number(count)} ${count === 1 ? "row" : "rows"}`;

  class Sortable {
    constructor(box) {
      this.box = box;
      this.table = box.querySelector("table");
      this.body = this.table.tBodies[0];
      this.scroll = box.querySelector(".scroll");
      this.line = box.querySelector(".shown");
      this.heads = [...this.table.tHead.rows[0].cells];
      this.numeric = this.heads.map((head) => head.classList.contains("number"));
      this.total = Number(box.dataset.rows ?? this.body.rows.length);
      this.section = /^(.+)-members$/.exec(box.id)?.[1];
      this.words = "";
      this.filters = new Map(); // column: test of a row
      this.only = false;
      this.selected = new Set();
      if (this.total > 1) this.line.before(this.tools());
      if (this.total > FEW) this.line.textContent ||= rows(this.total);
      for (const [column, head] of this.heads.entries()) {
        head.querySelector("button").addEventListener("click", () => this.sort(column));
      }
    }

    get labels() {
      return this.heads.map((head) => head.textContent.trim());
    }

    // Reads all rows if that was not done, then goes on.
    ready(go) {
      if (!this.all) this.fill([...this.body.rows].map((element) => ({ element })));
      go();
    }

    fill(sources) {
      this.all = sources.map((source, place) => ({ ...source, place }));
      this.sorted = [...this.all];
      this.read();
    }

    read() {
      for (const row of this.all) Object.assign(row, masklab.rows.read(this.element(row)));
    }

    element(row) {
      masklab.relabel?.(row.element);
      return row.element;
    }

    sort(column) {
      this.ready(() => {
        const before = this.heads[column].getAttribute("aria-sort");
        const [after, direction] = { none: ["ascending", 1], ascending: ["descending", -1], descending: ["none", 0] }[before];
        for (const head of this.heads) head.setAttribute("aria-sort", "none");
        this.heads[column].setAttribute("aria-sort", after);
        if (direction === 0) this.sorted = [...this.all];
        else this.sorted.sort(masklab.rows.comparison(column, this.numeric[column], direction));
        masklab.say(direction === 0 ? "In the order of the page" : `Sorted by ${this.labels[column]}, ${after}`);
        this.update();
      });
    }

    // Chooses the rows that are shown, and lays them out.
    update() {
      const hidden = new Set(masklab.settings.hide.map((name) => masklab.populations.indexOf(name)));
      const seen = this.sorted.filter(({ about }) => !about.some((place) => hidden.has(place)));
      const tests = [...this.filters.values()];
      if (this.words.trim()) tests.push(masklab.rows.search(this.words));
      if (this.only) tests.push(({ cells }) => this.selected.has(cells[0].value));
      this.shown = seen.filter((row) => tests.every((test) => test(row)));
      const partly = this.shown.length < this.total;
      const away = seen.length < this.total ? `, ${number(this.total - seen.length)} about hidden populations` : "";
      const whole = this.total > FEW ? rows(this.total) : "";
      this.line.textContent = partly ? `${number(this.shown.length)} of ${rows(this.total)}${away}` : whole;
      if (this.clear) this.clear.hidden = tests.length === 0;
      this.layOut();
    }

    layOut() {
      this.body.replaceChildren(...this.shown.map((row) => this.dressed(row)), ...this.nothing());
    }

    nothing() {
      if (this.shown.length) return [];
      const text = make("td", { colSpan: this.heads.length, textContent: "No such row" });
      return [make("tr", { className: "nothing" }, text)];
    }

    dressed(row) {
      const element = this.element(row);
      if (this.section) this.mark(element, this.selected.has(row.cells[0].value));
      return element;
    }

    mark(element, chosen) {
      if (element.classList.contains("selected") === chosen) return;
      element.classList.toggle("selected", chosen);
      if (chosen) element.cells[0].append(make("span", { className: "unseen chosen", textContent: " selected" }));
      else element.querySelector(".chosen").remove();
    }

    tools() {
      const tools = make("div", { className: "tools" });
      if (this.total > FEW) tools.append(...this.searching());
      if (this.section) tools.append(...this.selecting());
      tools.append(button("Copy", () => this.copy()), button("Download CSV", () => this.download()));
      return tools;
    }

    searching() {
      this.field = make("input", { type: "search", placeholder: "Search", size: 14 });
      this.field.setAttribute("aria-label", `Search in: ${this.box.querySelector(".caption").textContent}`);
      this.field.addEventListener("input", () => {
        this.words = this.field.value;
        this.ready(() => this.update());
      });
      this.opener = button("Filter columns", () => this.open(!this.fields));
      this.opener.setAttribute("aria-expanded", "false");
      this.clear = button("Show all rows", () => this.reset());
      this.clear.hidden = true;
      return [this.field, this.opener, this.clear];
    }

    reset() {
      this.words = this.field.value = "";
      this.open(false);
      this.choose(false);
      this.field.focus();
    }

    open(wanted) {
      this.opener.setAttribute("aria-expanded", String(wanted));
      this.filters.clear();
      this.fields?.remove();
      this.wrong?.remove();
      this.fields = undefined;
      if (wanted) {
        this.wrong = make("p", { className: "wrong", id: `${this.box.id}-wrong` });
        this.wrong.setAttribute("aria-live", "polite");
        this.line.before(this.wrong);
        this.fields = make("tr", { className: "filters" }, ...this.heads.map((_, column) => this.filterField(column)));
        this.table.tHead.append(this.fields);
        this.fields.querySelector("input").focus();
      }
      this.ready(() => this.update());
    }

    filterField(column) {
      const field = make("input", { type: "text", placeholder: this.numeric[column] ? "> 0" : "contains", size: 1 });
      field.setAttribute("aria-label", `Filter ${this.labels[column]}`);
      field.setAttribute("aria-describedby", this.wrong.id);
      field.addEventListener("input", () => this.filter(column, field));
      field.addEventListener("change", () => this.complain(column, field));
      return make("td", {}, field);
    }

    filter(column, field) {
      const test = field.value.trim() && masklab.rows.filter(field.value, column, this.numeric[column]);
      if (test) this.filters.set(column, test);
      else this.filters.delete(column);
      if (test !== undefined) this.complain(column, field);
      this.ready(() => this.update());
    }

    // Only once a field is left: whoever types ">90" has typed ">" before.
    complain(column, field) {
      const wrong = field.value.trim() !== "" && !this.filters.has(column);
      field.setAttribute("aria-invalid", String(wrong));
      const labels = this.labels.filter((_, own) => this.fields.cells[own].firstChild.getAttribute("aria-invalid") === "true");
      this.wrong.textContent = labels.length ? `${labels.join("; ")}: give ${masklab.rows.ALLOWED}.` : "";
    }

    selecting() {
      this.chooser = button("Only selected members", () => this.choose(!this.only));
      this.chooser.setAttribute("aria-pressed", "false");
      this.chooser.hidden = true;
      const select = button("Select the rows shown", () => {
        this.ready(() => {
          if (!this.shown) this.update();
          const ids = this.shown.map(({ cells }) => cells[0].value);
          document.dispatchEvent(new CustomEvent("masklab:select", { detail: { section: this.section, ids } }));
        });
      });
      return document.getElementById(`${this.section}-explorer`) ? [this.chooser, select] : [this.chooser];
    }

    choose(only) {
      if (!this.chooser) return;
      this.only = only;
      this.chooser.setAttribute("aria-pressed", String(only));
      this.ready(() => this.update());
    }

    select(ids) {
      this.selected = new Set(ids);
      this.chooser.hidden = ids.length === 0;
      this.choose(this.only && ids.length > 0);
    }

    lines() {
      if (!this.shown) this.update();
      return masklab.rows.lines(this.labels, this.numeric, this.all, this.shown);
    }

    download() {
      this.ready(() => {
        masklab.csv(`${this.box.id}.csv`, this.lines());
        masklab.say(`${rows(this.shown.length)} downloaded`);
      });
    }

    copy() {
      this.ready(async () => {
        await masklab.copy(this.lines().map(masklab.rows.tabbed).join("\n"));
        masklab.say(`${rows(this.shown.length)} copied`);
      });
    }

    // Other settings: rows of hidden populations go, renamed ones are read again.
    settle(names) {
      if (!this.all && masklab.settings.hide.length === 0) return;
      this.ready(() => {
        if (names) this.read();
        this.update();
      });
    }
  }

  return { Sortable, make, number, rows };
})();
