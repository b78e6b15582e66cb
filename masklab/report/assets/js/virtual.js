"use strict";

// Of a large table only the rows in view are laid out; all of them are in what the page carries.
{
  const { Sortable, make, number, rows } = masklab.tables;
  const PRINTED = 100;
  const BEYOND = 15; // rows laid out above and below the view
  const MOST = 200;

  class Large extends Sortable {
    constructor(box) {
      super(box);
      this.live = new Map(); // rows that are laid out, by their place on the page
      this.line.textContent = this.unread = `${this.line.textContent}; scroll, sort or search for the rest`;
      for (const event of ["scroll", "pointerenter", "focusin"]) {
        this.scroll.addEventListener(event, () => this.ready(() => this.shown || this.update()), { once: true });
      }
      this.scroll.addEventListener("scroll", () => requestAnimationFrame(() => this.shown && this.view(false)));
      new ResizeObserver(() => this.shown && this.view(true)).observe(this.scroll);
      window.addEventListener("beforeprint", () => this.print());
      window.addEventListener("afterprint", () => {
        if (this.shown) this.update();
        else this.line.textContent = this.unread;
      });
    }

    ready(go) {
      if (this.all) return go();
      this.fetched ??= masklab.payload().then(
        ({ tables }) => this.fill(tables[this.box.id].map((html) => ({ html }))),
        (error) => {
          this.line.textContent = `${this.unread.split(";")[0]}; the others cannot be read: ${error.message}`;
        },
      );
      return this.fetched.then(() => this.all && go());
    }

    read() {
      this.live.clear();
      this.sizers = undefined;
      super.read();
    }

    element(row) {
      const element = this.live.get(row.place) ?? masklab.rows.parse(row.html);
      if (Object.keys(masklab.settings.names).length) masklab.relabel?.(element);
      return element;
    }

    sort(column) {
      this.scroll.scrollTop = 0;
      super.sort(column);
    }

    layOut() {
      this.view(true);
    }

    // Rows get one height, so that those in view are known without laying out the others.
    view(anew) {
      const { scrollTop, clientHeight } = this.scroll;
      if (anew) this.height = this.measure();
      if (!this.height) return; // folded away
      const [top, bottom] = [scrollTop / this.height, (scrollTop + clientHeight) / this.height];
      const enough = this.first <= Math.max(0, top - 2) && this.last >= Math.min(this.shown.length, bottom + 2);
      if (enough && !anew) return;
      this.first = Math.max(0, Math.min(Math.floor(top), this.shown.length) - BEYOND);
      this.last = Math.min(this.shown.length, Math.ceil(bottom) + BEYOND, this.first + MOST);
      this.live = new Map(this.shown.slice(this.first, this.last).map((row) => [row.place, this.dressed(row)]));
      const heads = [...this.table.tHead.rows];
      const above = heads.length;
      for (const [place, head] of heads.entries()) head.setAttribute("aria-rowindex", place + 1);
      for (const [place, element] of [...this.live.values()].entries()) {
        element.setAttribute("aria-rowindex", above + this.first + place + 1);
        element.style.height = `${this.height}px`;
      }
      this.table.setAttribute("aria-rowcount", above + this.shown.length);
      const [before, after] = [this.first, this.shown.length - this.last].map((missing) => this.spacer(missing));
      this.body.replaceChildren(before, ...this.live.values(), ...this.nothing(), after, ...this.sizers);
      if (anew) this.scroll.scrollTop = scrollTop;
    }

    spacer(missing) {
      const cell = make("td", { colSpan: this.heads.length });
      cell.style.height = `${missing * this.height}px`;
      const row = make("tr", { className: "spacer", hidden: missing === 0 }, cell);
      row.setAttribute("aria-hidden", "true");
      return row;
    }

    // The longest cells of each column keep its width wherever one scrolls, and are as high as a row gets.
    measure() {
      const lines = ({ text, details }) => [text, ...details].reduce((sum, own) => sum + 1 + own.length / 20, 0);
      const longest = ({ details }) => Math.max(0, ...details.map((own) => own.length));
      const lengths = [({ text }) => text.length, longest, lines];
      this.sizers ??= lengths.map((length) => {
        const cells = this.heads.map((_, column) => {
          const first = this.all.reduce((a, b) => (length(b.cells[column]) > length(a.cells[column]) ? b : a));
          return masklab.rows.parse(first.html).cells[column];
        });
        const row = make("tr", { className: "sizer" }, ...cells);
        row.setAttribute("aria-hidden", "true");
        if (Object.keys(masklab.settings.names).length) masklab.relabel?.(row);
        return row;
      });
      this.body.replaceChildren(...this.sizers);
      this.body.classList.add("measured");
      const height = Math.max(...this.sizers.map((row) => row.getBoundingClientRect().height));
      this.body.classList.remove("measured");
      return Math.ceil(height);
    }

    // Paper gets the first of the rows that are shown, and says so.
    print() {
      const count = this.shown?.length ?? this.total;
      if (this.shown) this.body.replaceChildren(...this.shown.slice(0, PRINTED).map((row) => this.dressed(row)), ...this.nothing());
      if (count <= PRINTED) return;
      const those = count < this.total ? `${number(count)} chosen of ${rows(this.total)}` : rows(count);
      this.line.textContent = `Printed: the first ${PRINTED} of ${those}; the CSV file has the others`;
    }
  }

  const tables = [...document.querySelectorAll(".table")].map((box) => new ("rows" in box.dataset ? Large : Sortable)(box));

  let names = "{}";
  document.addEventListener("masklab:settings", ({ detail }) => {
    const now = JSON.stringify(detail.names);
    for (const table of tables) table.settle(now !== names);
    names = now;
  });
  document.addEventListener("masklab:selected", ({ detail: { section, ids } }) => {
    for (const table of tables) if (table.section === section && table.chooser) table.select(ids);
  });
}
