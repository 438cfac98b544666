// The map: points by class, mistakes in front.
const FEW_DARK = [
  "#4ea3e0", "#f0b429", "#2fc79a", "#e39ac3", "#8fd0f7", "#f4814a", "#b08be0", "#c9c93a", "#c08b7d", "#a3abb5",
];

async function setUpMap(page, gallery) {
  if (!page.maps.length) return;
  const { names, rows } = page;
  const canvas = await embedCanvas(page, "map");
  const sources = [canvas.model("map-right"), canvas.model("map-wrong")];
  const mistakes = canvas.model("map-mistakes");
  const wrong = rows.true.filter((label, row) => label !== rows.predicted[row]).length;
  const sizes = pointSizes(rows.true.length, wrong);
  const shown = names.map(() => true);
  const onlyMistakes = document.getElementById("only-mistakes");
  const state = { map: page.maps[0], colours: [] };

  function fill() {
    const made = [0, 1].map(() => ({ x: [], y: [], row: [], colour: [] }));
    const { map, colours } = state;
    map.rows.forEach((row, k) => {
      const label = rows.true[row];
      const wrong = label !== rows.predicted[row];
      if (!shown[label] || (onlyMistakes.checked && !wrong)) return;
      const columns = made[Number(wrong)];
      columns.x.push(map.x[k]);
      columns.y.push(map.y[k]);
      columns.row.push(row);
      columns.colour.push(colours[label]);
    });
    sources.forEach((source, k) => {
      source.selected.indices = [];
      source.data = made[k];
    });
  }

  // Bokeh draws a point in one of these ways, by what was chosen.
  function restyle(renderer, look) {
    for (const way of ["glyph", "nonselection_glyph", "selection_glyph"]) {
      if (renderer[way]?.setv) renderer[way].setv(look);
    }
  }

  function colour() {
    const dark = mix("rgb(0,0,0)", themeColour("surface"), 1).match(/\d+/g)[0] < 128;
    state.colours = names.map((_, label) => classColour(label, names.length, dark ? FEW_DARK : page.colours, dark));
    document.querySelectorAll("#legend .swatch").forEach((swatch, label) => {
      swatch.style.setProperty("--c", state.colours[label]);
    });
    restyle(mistakes, {
      line_color: { value: themeColour("ink") },
      line_width: { value: sizes.outline },
      line_alpha: { value: 1 },
      size: { value: sizes.wrong },
    });
    restyle(canvas.model("map-rest"), { size: { value: sizes.right } });
    fill();
  }

  function showMap(map) {
    state.map = map;
    document.getElementById("map-note").textContent = map.note;
    for (const [k, letter] of ["x", "y"].entries()) {
      const axis = canvas.model(`map-${letter}-axis`);
      axis.axis_label = plainLabel(map.axes[k]);
      axis.visible = map.axes[k] !== "";
    }
    canvas.setHome([map.x, map.y].map(padded));
    fill();
  }

  setUpLegend(names, shown, fill);
  setUpTabs(page.maps, showMap);
  onlyMistakes.addEventListener("change", fill);
  onThemeChange.push(colour);
  colour();
  showMap(state.map);
  const picked = document.getElementById("map-picked");
  for (const source of sources) canvas.onHover(source, (row) => gallery.card(row), "row");
  const pick = (row) => picked.replaceChildren(gallery.card(row));
  canvas.onTap(sources.map((source) => [source, pick]), "row");
  canvas.ready();
}

// The more points there are on the less ground, the smaller they are.
function pointSizes(count, wrong) {
  const narrow = matchMedia("(max-width: 560px)").matches ? 4 : 1;
  return {
    right: count * narrow > 4_000 ? 5 : 7,
    wrong: wrong * narrow > 600 ? 8 : wrong * narrow > 150 ? 10 : 13,
    outline: wrong * narrow > 600 ? 1 : 1.4,
  };
}

function classColour(label, count, few, dark) {
  if (count <= few.length) return few[label];
  const hue = (label * 137.508) % 360; // the golden angle: neighbours in the list differ most
  const lightness = (dark ? [72, 60, 82] : [45, 58, 34])[label % 3];
  return hslToHex(hue, 62, lightness);
}

function hslToHex(hue, saturation, lightness) {
  const l = lightness / 100;
  const a = (saturation / 100) * Math.min(l, 1 - l);
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    const value = l - a * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

function padded(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const margin = 0.04 * (high - low) || 1;
  return values.length ? [low - margin, high + margin] : [0, 1];
}

function setUpLegend(names, shown, changed) {
  const list = document.getElementById("legend");
  const boxes = names.map((name, label) => {
    const box = make("input", { type: "checkbox", "data-class": label });
    box.checked = true;
    box.addEventListener("change", () => {
      shown[label] = box.checked;
      changed();
    });
    list.append(make("li", {}, make("label", {}, box, make("span", { class: "swatch" }), nameOf(name))));
    return box;
  });
  // With a filter they are about the classes that it leaves.
  const setAll = (checked) => {
    boxes.forEach((box, label) => {
      if (box.closest("li").hidden) return;
      box.checked = shown[label] = checked;
    });
    changed();
  };
  document.getElementById("all-classes").addEventListener("click", () => setAll(true));
  document.getElementById("no-classes").addEventListener("click", () => setAll(false));
  const field = document.getElementById("filter-legend");
  if (field) setUpFilter(field, () => list.children);
}

function setUpTabs(maps, showMap) {
  const tabs = [...document.querySelectorAll("#map [role=tab]")];
  const select = (tab) => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    }
    document.getElementById("map-panel").setAttribute("aria-labelledby", tab.id);
    showMap(maps[Number(tab.dataset.map)]);
  };
  tabs.forEach((tab, k) => {
    tab.addEventListener("click", () => select(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      const next = tabs[(k + step + tabs.length) % tabs.length];
      next.focus();
      select(next);
    });
  });
}
