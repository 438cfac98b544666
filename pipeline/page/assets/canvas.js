// What the map and the large matrix share: a Bokeh figure in the page's colours.
async function embedCanvas(page, name) {
  const holder = document.getElementById(`${name}-canvas`);
  const small = matchMedia("(max-width: 560px)").matches;
  const item = page.canvases[name];
  if (small) item.doc.roots[0].attributes.height = 420;
  const views = await Bokeh.embed.embed_item(item, holder);
  const view = views.get_by_id ? views.get_by_id(item.root_id) : views.roots[0];
  const doc = view.model.document;
  const model = (each) => doc.get_model_by_name(each);
  const ranges = ["x", "y"].map((letter) => model(`${name}-${letter}`));
  const home = { bounds: ranges.map((range) => [range.start, range.end]) };
  const controls = document.getElementById(`${name}-plot`);

  const setRanges = (bounds) => {
    ranges.forEach((range, k) => range.setv({ start: bounds[k][0], end: bounds[k][1] }));
  };
  for (const button of controls.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      const factor = Number(button.dataset.zoom);
      setRanges(Number.isNaN(factor) ? home.bounds : ranges.map(({ start, end }) => {
        const middle = (start + end) / 2;
        return [middle + (start - middle) * factor, middle + (end - middle) * factor];
      }));
    });
  }
  setUpTouch(controls, model(`${name}-toolbar`), holder);
  const restyle = () => styleFigure(view.model, name, model);
  onThemeChange.push(restyle);
  restyle();

  return {
    holder,
    model,
    setHome(bounds) {
      home.bounds = bounds;
      setRanges(bounds);
    },
    onZoom(listener) {
      for (const range of ranges) range.change.connect(listener);
      addEventListener("resize", listener);
    },
    onHover: (source, makeCard, column) => setUpHover(holder, source, makeCard, column),
    onTap: setUpTap,
    ready() {
      holder.dataset.ready = "true";
      // Nothing in there is for the keyboard: what the canvas does, buttons and lists do, too.
      for (const element of walk(holder)) if (element.tabIndex >= 0) element.tabIndex = -1;
    },
  };
}

function* walk(root) {
  for (const element of (root.shadowRoot ?? root).querySelectorAll("*")) {
    yield element;
    if (element.shadowRoot) yield* walk(element);
  }
}

// A finger scrolls the page over a canvas, until the button "Move" gives the canvas to it.
function setUpTouch(controls, toolbar, holder) {
  if (!matchMedia("(pointer: coarse)").matches) return;
  const button = controls.querySelector("[data-move]");
  const give = (moving) => {
    toolbar.active_drag = moving ? "auto" : null;
    for (const element of walk(holder)) {
      if (element.matches(".bk-events")) element.style.touchAction = moving ? "none" : "pan-y";
    }
    setPressed(button, moving);
  };
  button.hidden = false;
  button.addEventListener("click", () => give(button.getAttribute("aria-pressed") !== "true"));
  requestAnimationFrame(() => give(false));
}

function styleFigure(figure, name, model) {
  const [surface, ink, soft, line] = ["surface", "ink", "soft", "line"].map(themeColour);
  figure.setv({
    background_fill_color: surface, border_fill_color: surface, outline_line_color: line,
  });
  for (const letter of "xy") {
    model(`${name}-${letter}-axis`).setv({
      axis_label_text_color: ink, major_label_text_color: soft,
      axis_line_color: line, major_tick_line_color: line, minor_tick_line_color: null,
    });
    model(`${name}-${letter}-grid`).grid_line_color = line;
  }
}

// The card beside the pointer while it is over a point.
function setUpHover(holder, source, makeCard, column) {
  const card = document.getElementById("hover-card")
    ?? document.body.appendChild(make("div", { id: "hover-card", hidden: true, "aria-hidden": "true" }));
  source.inspect.connect(([, { geometry }]) => {
    const [index] = source.inspected.indices;
    if (index === undefined) {
      if (card.source === source) card.hidden = true;
      return;
    }
    const key = source.data[column][index];
    if (card.source !== source || card.key !== key || card.hidden) {
      card.replaceChildren(makeCard(key));
      Object.assign(card, { source, key, hidden: false });
    }
    placeCard(card, holder.getBoundingClientRect(), geometry);
  });
  holder.addEventListener("pointerleave", () => { card.hidden = true; });
}

function placeCard(card, box, { sx, sy }) {
  const [x, y, gap] = [box.left + sx, box.top + sy, 14];
  const { width, height } = card.getBoundingClientRect();
  const left = x + gap + width > innerWidth ? x - gap - width : x + gap;
  const top = Math.min(Math.max(y - height / 2, 4), innerHeight - height - 4);
  card.style.left = `${Math.max(left, 4)}px`;
  card.style.top = `${top}px`;
}

// A click chooses the point in front.
function setUpTap(layers, column) {
  for (const [source, choose] of layers) {
    source.selected.change.connect(() => {
      const [index] = source.selected.indices;
      if (index !== undefined) choose(source.data[column][index]);
    });
  }
}

// Bokeh reads some text as a formula: here none is.
function plainLabel(text) {
  return text.replaceAll("$", "$\u200b").replaceAll("\\", "\\\u200b");
}

function shorten(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

// A colour between two that getComputedStyle gave.
function mix(from, to, share) {
  const [a, b] = [from, to].map((colour) => colour.match(/[\d.]+/g).map(Number));
  const parts = [0, 1, 2].map((k) => Math.round(a[k] + (b[k] - a[k]) * share));
  return `rgb(${parts.join(",")})`;
}
