// The explorer: who is selected, by whatever means, and what the rest of the page hears of it.
(() => {
  const CLICK = 4; // pixels that a pointer may move in a click
  const QUIET = 400; // milliseconds without a change before a screen reader hears of it
  const EDITED = "input:not([type=radio]), select, textarea, dialog";

  // At most once per frame, with what was asked for last.
  function framed(action) {
    let asked = null;
    return (...given) => {
      if (!asked) {
        requestAnimationFrame(() => {
          const latest = asked;
          asked = null;
          action(...latest);
        });
      }
      asked = given;
    };
  }

  class Explorer {
    constructor(root) {
      this.root = root;
      this.section = root.dataset.section;
      this.buttons = [...root.querySelectorAll("[data-place]")];
      this.views = {};
      this.tables = {};
      this.shades = {};
      this.picked = null; // a set of members' places; null: nothing is selected
      this.brushed = false; // whether the rectangle says what is selected
      this.rectangle = false; // whether there is one
      this.hidden = new Set();
      this.marked = new Set();
      this.twin = false;
    }

    part(name) {
      return this.root.querySelector(`.explorer-${name}`);
    }

    canvas(name) {
      return this.root.querySelector(`[data-view="${name}"] .explorer-canvas`);
    }

    plane() {
      return (this.twin && this.embedding.twin) || this.embedding.members;
    }

    tell(text) {
      this.part("state").textContent = text;
      this.part("state").hidden = !text;
    }

    start() {
      const failed = (error) => this.fail(`The explorer could not be drawn: ${error.message}`);
      return (this.started ??= this.open().catch(failed));
    }

    fail(why) {
      this.root.classList.add("explorer-failed");
      this.tell(`${why}. The figures of this page show the same members.`);
    }

    async open() {
      if (!("DecompressionStream" in window)) {
        this.fail("This browser cannot unpack the explorer: it has no DecompressionStream");
        return;
      }
      this.tell("Loading\u2026");
      const [payload] = await Promise.all([masklab.payload(), explorerDrawing.load()]);
      this.given = payload.explorers[this.section];
      this.known = new Map(this.given.members.id.map((id, i) => [id, i]));
      this.embedding = this.given.embeddings[0];
      this.readSettings();
      for (const name of Object.keys(this.given.specs)) await this.draw(name);
      this.watchPage();
      if (this.settings === masklab.settings) this.describe();
      else this.settle(); // they changed meanwhile
      this.root.classList.add("explorer-open");
      this.tell("");
    }

    work(name) {
      this.tables[name] = explorerViews[name].rows(this);
      this.shades[name] = explorerViews[name].shade(this);
    }

    async draw(name) {
      const target = this.canvas(name);
      this.work(name);
      this.views[name] = await explorerDrawing.draw(this, name, target);
      this.watchPointer(name, target);
      new ResizeObserver(framed(() => this.resize(name))).observe(target);
    }

    resize(name) {
      explorerDrawing.resize(this, name, this.canvas(name).clientWidth);
    }

    redraw(name) {
      this.work(name);
      explorerDrawing.redraw(this, name);
      this.resize(name);
    }

    // Select members by place; null or none: nothing is selected.
    pick(wanted, brushed = false) {
      const shown = [...new Set(wanted ?? [])].filter((i) => explorerViews.shown(this, i)).sort((a, b) => a - b);
      this.brushed = brushed;
      if (!brushed) this.dropRectangle();
      if (shown.join() === [...(this.picked ?? [])].join()) return;
      this.picked = shown.length ? new Set(shown) : null;
      for (const [name, view] of Object.entries(this.views)) {
        this.shades[name] = explorerViews[name].shade(this);
        view.signal("shade", this.shades[name]).runAsync();
      }
      this.describe();
      const ids = shown.map((i) => this.given.members.id[i]);
      document.dispatchEvent(new CustomEvent("masklab:selected", { detail: { section: this.section, ids } }));
    }

    dropRectangle() {
      if (this.rectangle) this.views.places.data("brush_store", []).runAsync();
      this.rectangle = false;
    }

    followBrush({ x, y }) {
      this.rectangle = Boolean(x && y);
      if (this.rectangle) this.pick(explorerViews.inside(this, x, y), true);
      else if (this.brushed) this.pick(null);
    }

    members(place) {
      const { population } = this.given.members;
      return population.flatMap((own, i) => (own === place ? [i] : []));
    }

    togglePopulation(place) {
      const own = this.members(place);
      const others = [...(this.picked ?? [])].filter((i) => !own.includes(i));
      this.pick(own.every((i) => this.picked?.has(i)) ? others : [...others, ...own]);
    }

    describe() {
      const text = explorerViews.selected(this);
      this.part("selected").textContent = text;
      this.part("clear").setAttribute("aria-disabled", String(!this.picked));
      for (const button of this.buttons) {
        const own = this.members(Number(button.dataset.place));
        button.setAttribute("aria-pressed", String(own.every((i) => this.picked?.has(i))));
      }
      clearTimeout(this.saying);
      if (text !== (this.said ?? text)) this.saying = setTimeout(() => masklab.say(text), QUIET);
      this.said = text;
    }

    // Place of an event in the plot of a view.
    within(name, event) {
      const box = this.canvas(name).querySelector("canvas").getBoundingClientRect();
      const [left, top] = this.views[name].origin();
      const padding = this.views[name].padding();
      return [event.clientX - box.left - left - padding.left, event.clientY - box.top - top - padding.top];
    }

    near(name, event) {
      return explorerViews[name].near(this, this.views[name], ...this.within(name, event));
    }

    hover(name, event) {
      const found = event && this.near(name, event);
      this.views[name].data("hover", found ? found.hover : []).runAsync();
      const tip = this.part("tip");
      tip.hidden = !found;
      if (!found) return;
      const element = (tag, textContent) => Object.assign(document.createElement(tag), { textContent });
      tip.replaceChildren(...found.about.flatMap(([label, text]) => [element("dt", label), element("dd", text)]));
      const { width, height } = tip.getBoundingClientRect();
      const { clientWidth, clientHeight } = document.documentElement;
      const [right, below] = [event.clientX + 14, event.clientY + 14];
      tip.style.left = `${Math.max(0, Math.min(right, clientWidth - width - 4))}px`;
      tip.style.top = `${below + height > clientHeight ? Math.max(0, event.clientY - height - 10) : below}px`;
    }

    watchPointer(name, target) {
      const hover = framed((event) => this.hover(name, event));
      target.addEventListener("pointermove", hover);
      target.addEventListener("pointerleave", () => hover(null));
      if (name !== "places") return;
      let pressed = null;
      target.addEventListener("pointerdown", (event) => (pressed = event));
      target.addEventListener("click", (event) => {
        const from = pressed ?? event;
        if (Math.hypot(event.clientX - from.clientX, event.clientY - from.clientY) <= CLICK) this.click(event);
      });
      const follow = framed((rectangle) => this.followBrush(rectangle));
      this.views.places.addSignalListener("brush", (_, rectangle) => follow(rectangle));
    }

    // A click selects a point, with Shift it adds it or takes it away; on the empty plot it clears.
    click(event) {
      const found = this.near("places", event);
      const before = event.shiftKey ? [...(this.picked ?? [])] : [];
      const others = before.filter((i) => i !== found?.member);
      this.pick(!found || others.length < before.length ? others : [...before, found.member]);
    }

    readSettings() {
      this.settings = masklab.settings;
      const { hide, mark } = this.settings;
      const places = (names) =>
        new Set(this.given.populations.flatMap(({ name }, place) => (names.includes(name) ? [place] : [])));
      [this.hidden, this.marked] = [places(hide), places(mark)];
      for (const button of this.buttons) {
        const place = Number(button.dataset.place);
        button.hidden = this.hidden.has(place);
        button.querySelector(".text").textContent = masklab.called(this.given.populations[place].name);
      }
    }

    settle() {
      this.readSettings();
      for (const name of Object.keys(this.views)) this.redraw(name);
      this.pick(this.picked, this.brushed);
      this.describe();
    }

    // Another embedding: the rectangle lay around other places, but who was in it stays selected.
    choose() {
      const chosen = (kind) => this.root.querySelector(`input[data-choice="${kind}"]:checked`)?.value;
      this.embedding = this.given.embeddings.find(({ method }) => method === chosen("method"));
      const twin = this.root.querySelector('input[value="twin"][data-choice]');
      if (twin) twin.disabled = !this.embedding.twin;
      this.twin = chosen("masks") === "twin";
      this.pick(this.picked);
      this.redraw("places");
    }

    select(ids) {
      this.pick(ids.map((id) => this.known.get(id)).filter((i) => i !== undefined));
    }

    watchPage() {
      const settle = framed(() => this.settle());
      document.addEventListener("masklab:settings", settle);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", settle);
      document.addEventListener("keydown", ({ key, target }) => {
        if (key !== "Escape" || target.closest?.(EDITED)) return;
        for (const name of Object.keys(this.views)) this.hover(name, null);
        this.pick(null);
      });
      this.part("clear").addEventListener("click", () => this.pick(null));
      this.root.addEventListener("change", ({ target }) => target.dataset.choice && this.choose());
      this.root.addEventListener("click", ({ target }) => {
        const { place, of, save } = target.closest("button")?.dataset ?? {};
        if (place) this.togglePopulation(Number(place));
        if (save) explorerDrawing.save(this, of, save);
      });
    }
  }

  // An explorer is drawn when it comes near the window, is walked into, or is told to select something.
  const explorers = new Map();
  const start = (root) => {
    seen.unobserve(root);
    return explorers.get(root.dataset.section).start();
  };
  const seen = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => start(target)),
    { rootMargin: "400px 0px" },
  );
  for (const root of document.querySelectorAll(".explorer")) {
    explorers.set(root.dataset.section, new Explorer(root));
    seen.observe(root);
    root.addEventListener("focusin", () => start(root));
  }
  document.addEventListener("masklab:select", async ({ detail }) => {
    const explorer = explorers.get(detail.section);
    if (!explorer) return;
    await start(explorer.root);
    if (explorer.known) explorer.select(detail.ids);
  });
  masklab.explorers = explorers;
})();
