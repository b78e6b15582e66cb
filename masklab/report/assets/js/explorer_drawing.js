// How the explorer's views get onto the page and into files: everything that Vega is told.
const explorerDrawing = (() => {
  const COLOURS = { ink: "--ink", grid: "--line", paper: "--paper" };
  const PICTURE = 640; // pixels, of an exported picture
  const ROLES = ["role", "aria-roledescription", "aria-label"];

  // The drawing code is unpacked for the first explorer that is looked at, once per page.
  let runtime;
  const load = () => (runtime ??= unpackRuntime());

  async function unpackRuntime() {
    const script = document.createElement("script");
    script.textContent = await masklab.unpacked("vega");
    document.head.append(script);
    script.remove();
    if (!window.vegaEmbed) throw new Error("the browser refused the drawing code");
    return window.vegaEmbed;
  }

  async function embed(target, spec) {
    const vegaEmbed = await load();
    // `ast`: expressions are interpreted, as the page allows no evaluation of text
    const options = { mode: "vega-lite", ast: true, actions: false, tooltip: false, defaultStyle: false };
    return (await vegaEmbed(target, spec, { ...options, renderer: "canvas" })).view;
  }

  function pageColours() {
    const style = getComputedStyle(document.documentElement);
    const colours = Object.entries(COLOURS).map(([key, name]) => [key, style.getPropertyValue(name).trim()]);
    return Object.fromEntries(colours);
  }

  // What the specifications leave open.
  function parameters(state, name) {
    const { populations } = state.given;
    const known = populations.map((_, place) => place).filter((place) => !state.hidden.has(place));
    return {
      shade: state.shades[name],
      headline: explorerViews[name].headline(state),
      names: populations.map((population) => masklab.called(population.name)),
      known: name === "curves" ? [...known, -1] : known,
    };
  }

  // On the screen the buttons of the populations are the legend.
  function filled(state, name, available, exported) {
    const spec = structuredClone(state.given.specs[name]);
    for (const { encoding } of spec.layer) {
      if (encoding.color?.field === "p" && !exported) encoding.color.legend = null;
    }
    const values = { ...parameters(state, name), ...(exported ? {} : pageColours()) };
    for (const parameter of spec.params) parameter.value = values[parameter.name] ?? parameter.value;
    const datasets = { ...state.tables[name], hover: [] };
    const size = explorerViews[name].size(state, available);
    return Object.assign(spec, { datasets, width: size, height: size }, exported && { background: "white" });
  }

  async function draw(state, name, target) {
    const view = await embed(target, filled(state, name, target.clientWidth, false));
    for (const role of ROLES) view.container().removeAttribute(role);
    const canvas = target.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", state.given.labels[name]);
    return view;
  }

  // Nothing is done while the view is not laid out, as in print.
  function resize(state, name, available) {
    if (!available) return;
    const [view, size] = [state.views[name], explorerViews[name].size(state, available)];
    if (size !== view.width()) view.width(size).height(size).runAsync();
  }

  // New rows, names and colours on a view that is drawn.
  function redraw(state, name) {
    const view = state.views[name];
    for (const [table, rows] of Object.entries(state.tables[name])) view.data(table, rows);
    view.data("hover", []);
    const values = { ...parameters(state, name), ...pageColours() };
    for (const [key, value] of Object.entries(values)) view.signal(key, value);
    view.runAsync();
  }

  // A picture of its own, in the colours of paper, with the legend that the page has as buttons.
  async function save(state, name, type) {
    const file = `${state.given.study}-${explorerViews[name].file(state)}.${type}`;
    const view = await embed(document.createElement("div"), filled(state, name, PICTURE, true));
    if (type === "svg") masklab.download(file, "image/svg+xml", [await view.toSVG()]);
    else (await view.toCanvas(2)).toBlob((picture) => masklab.download(file, "image/png", [picture]));
    view.finalize();
  }

  return { load, draw, resize, redraw, save };
})();
