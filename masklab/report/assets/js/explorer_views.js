// The three views of the explorer: what rows Vega gets, how strongly each is seen, what lies under the pointer.
const explorerViews = (() => {
  const SEEN = 0.85;
  const FADED = 0.1;
  const NEAR = 12; // pixels

  const number = (count) => count.toLocaleString("en");
  const percent = (state, fraction) =>
    fraction === null ? "not known" : `${(100 * fraction).toFixed(state.given.digits)} %`;

  // The 16-bit numbers of the upper triangle as a function of two rows; null where there is no pair.
  function triangle(packed) {
    const bytes = Uint8Array.from(atob(packed.values), (letter) => letter.charCodeAt(0));
    const words = new DataView(bytes.buffer);
    const n = packed.groups.length;
    return (a, b) => {
      const [i, j] = a < b ? [a, b] : [b, a];
      const level = words.getUint16(2 * (i * n - (i * (i - 1)) / 2 + j - i), true);
      return level === 65535 ? null : packed.low + packed.step * level;
    };
  }

  // What the page calls a member: with the name that its population has been given.
  function member(state, i) {
    const { id, population } = state.given.members;
    const { name } = state.given.populations[population[i]];
    return id[i].startsWith(`${name}/`) ? masklab.called(name) + id[i].slice(name.length) : id[i];
  }

  function about(state, i) {
    const { members, populations } = state.given;
    const { pruner, density } = populations[members.population[i]];
    return [
      ["member", member(state, i)],
      ["pruner", pruner],
      ["density", density],
      ["index", String(members.index[i])],
      ["weight draw", String(members.draw[i])],
      ["accuracy", percent(state, members.accuracy[i])],
    ];
  }

  const shown = (state, i) => !state.hidden.has(state.given.members.population[i]);
  const dimmed = (state, i) => state.marked.size > 0 && !state.marked.has(state.given.members.population[i]);

  // From 0 to 1: how much of something is selected, or marked where nothing is selected.
  const weight = (state, i) => Number(state.picked ? state.picked.has(i) : !dimmed(state, i));

  // Members whose points lie in a rectangle.
  function inside(state, x, y) {
    const within = (value, [a, b]) => value >= Math.min(a, b) && value <= Math.max(a, b);
    return state.tables.places.places.filter((row) => within(row.x, x) && within(row.y, y)).map(({ i }) => i);
  }

  // What is selected, in a sentence or two.
  function selected(state) {
    if (!state.picked) return "Nothing is selected.";
    const { members, populations } = state.given;
    const picked = [...state.picked];
    const counts = populations.flatMap(({ name }, place) => {
      const count = picked.filter((i) => members.population[i] === place).length;
      return count ? [`${number(count)} of ${masklab.called(name)}`] : [];
    });
    const known = picked.map((i) => members.accuracy[i]).filter((value) => value !== null);
    const mean = known.reduce((sum, value) => sum + value, 0) / known.length;
    const count = number(known.length);
    const accuracy = known.length ? `Mean accuracy ${percent(state, mean)}, n = ${count}` : "Accuracy not known";
    const all = `${number(picked.length)} of ${number(members.id.length)} members selected`;
    return `${all}: ${counts.join(", ")}. ${accuracy}.`;
  }

  // Sizes are of the plot, which is square; Vega pads it by 5 pixels on each side.
  const PADDING = 10;
  const STRIPES = 10;

  const places = {
    size: (state, available) => available - PADDING,
    headline(state) {
      const plane = state.plane();
      const masks = plane === state.embedding.twin ? "random twin" : "members";
      return [`${state.embedding.name} of the ${masks}`, plane.meaning];
    },
    file: (state) => `${state.embedding.method}${state.plane() === state.embedding.twin ? "-twin" : ""}`,
    rows(state) {
      const { member: own, x, y } = state.plane();
      const { population, draw } = state.given.members;
      const rows = own.map((i, at) => ({ i, x: x[at], y: y[at], p: population[i], b: draw[i] }));
      return { places: rows.filter(({ i }) => shown(state, i)) };
    },
    shade(state) {
      return state.given.members.id.map((_, i) => (weight(state, i) ? SEEN : FADED));
    },
    near(state, view, x, y) {
      const [across, up] = [view.scale("x"), view.scale("y")];
      let [best, found] = [NEAR, null];
      for (const row of state.tables.places.places) {
        const away = Math.hypot(across(row.x) - x, up(row.y) - y);
        if (away < best) [best, found] = [away, row];
      }
      return found && { hover: [found], about: about(state, found.i), member: found.i };
    },
  };

  // The population of a group where all of its members are of one, which they are whenever there are groups.
  const populationOf = (state, k) => state.given.members.population[state.given.distances.groups[k][0]];

  function group(state, k) {
    const own = state.given.distances.groups[k];
    if (own.length === 1) return member(state, own[0]);
    const draws = [...new Set(own.map((i) => state.given.members.draw[i]))].sort((a, b) => a - b);
    const name = masklab.called(state.given.populations[populationOf(state, k)].name);
    return `${own.length} members of ${name}, weight draw ${draws.join(", ")}`;
  }

  const distances = {
    // rows of whole pixels, without seams between them
    size(state, available) {
      const pixels = (available - PADDING - STRIPES) * devicePixelRatio;
      const rows = state.tables.distances.rows.length;
      return (rows * Math.max(1, Math.floor(pixels / rows))) / devicePixelRatio;
    },
    headline(state) {
      const mean = state.given.distances.groups.some((own) => own.length > 1);
      return mean
        ? ["Mean Hamming distances", "between groups of members"]
        : ["Hamming distances", "between members"];
    },
    file: () => "distances",
    rows(state) {
      const { groups } = state.given.distances;
      const own = groups.map((_, k) => k).filter((k) => !state.hidden.has(populationOf(state, k)));
      const value = (state.distance ??= triangle(state.given.distances));
      const cells = own.flatMap((i) => own.map((j) => ({ i, j, v: value(i, j) })));
      return {
        cells: cells.filter(({ v }) => v !== null),
        rows: own.map((k) => ({ k, p: populationOf(state, k) })),
      };
    },
    shade(state) {
      return state.given.distances.groups.map((own) => {
        const share = own.reduce((sum, i) => sum + weight(state, i), 0) / own.length;
        return 0.25 + 0.75 * share;
      });
    },
    near(state, view, x, y) {
      const { rows } = state.tables.distances;
      const at = (place, size) => rows[Math.floor((place / size) * rows.length)]?.k;
      const [j, i] = [at(x, view.scale("x").range()[1]), at(y, view.scale("y").range()[1])];
      if (i === undefined || j === undefined) return null;
      const value = state.distance(i, j);
      const chance = state.given.distances.chance[populationOf(state, i)][populationOf(state, j)];
      const alone = state.given.distances.groups[i].length === 1 && i === j;
      return {
        hover: [{ i, j }],
        about: alone
          ? about(state, state.given.distances.groups[i][0])
          : [
              ["first", group(state, i)],
              ["second", group(state, j)],
              ["Hamming distance", value === null ? "no pair" : value.toFixed(4)],
              ["chance level", chance === null ? "not known" : chance.toFixed(4)],
            ],
      };
    },
  };

  // Distance of a point from a stretch of a line.
  function away([x, y], [x0, y0], [x1, y1]) {
    const [dx, dy] = [x1 - x0, y1 - y0];
    const along = ((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy || 1);
    const t = Math.min(1, Math.max(0, along));
    return Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
  }

  const curves = {
    size: (state, available) => available,
    headline: () => ["Accuracy on straight lines", "between members"],
    file: () => "interpolation",
    rows(state) {
      const { first, second, t, accuracy } = state.given.curves;
      const { population } = state.given.members;
      const kind = (c) => (population[first[c]] === population[second[c]] ? population[first[c]] : -1);
      const lines = t.flatMap((points, c) => {
        if (!shown(state, first[c]) || !shown(state, second[c])) return [];
        return points.map((at, place) => ({ c, t: at, y: 100 * accuracy[c][place], p: kind(c) }));
      });
      return { lines: lines.sort((a, b) => Math.sign(a.p + 0.5) - Math.sign(b.p + 0.5)), once: [{}] };
    },
    // With both ends selected a curve stands out, with one of them half; without a selection those within do.
    shade(state) {
      const { first, second } = state.given.curves;
      const { population } = state.given.members;
      const plain = !state.picked && !state.marked.size;
      return first.map((a, c) => {
        const b = second[c];
        if (plain) return population[a] === population[b] ? 0.6 : 0.22;
        return [0.04, 0.2, 0.95][weight(state, a) + weight(state, b)];
      });
    },
    near(state, view, x, y) {
      const [across, up] = [view.scale("x"), view.scale("y")];
      const { lines } = state.tables.curves;
      const strong = state.shades.curves;
      let [best, found] = [NEAR, null];
      for (let at = 1; at < lines.length; at++) {
        const [from, to] = [lines[at - 1], lines[at]];
        if (from.c !== to.c || strong[to.c] < 0.15) continue;
        const gap = away([x, y], [across(from.t), up(from.y)], [across(to.t), up(to.y)]);
        if (gap < best) [best, found] = [gap, to.c];
      }
      if (found === null) return null;
      const { first, second, accuracy, barrier } = state.given.curves;
      const ends = [accuracy[found][0], accuracy[found].at(-1)];
      return {
        hover: lines.filter(({ c }) => c === found),
        about: [
          ["t = 0", `${member(state, first[found])}, ${percent(state, ends[0])}`],
          ["t = 1", `${member(state, second[found])}, ${percent(state, ends[1])}`],
          ["barrier", `${(100 * barrier[found]).toFixed(state.given.digits)} points of test error`],
        ],
      };
    },
  };

  return { places, distances, curves, shown, inside, selected };
})();
