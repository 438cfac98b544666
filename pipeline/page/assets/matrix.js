// The confusion matrix: cells that show their images, in a table or on a canvas.
const CARDS_AT_ONCE = 60;

function setUpMatrix(page, gallery) {
  const panel = setUpCellPanel(page, gallery);
  setUpCellForm(page, panel);
  for (const button of document.querySelectorAll("#matrix button[data-true]")) {
    button.addEventListener("click", () => {
      panel.show(Number(button.dataset.true), Number(button.dataset.said), button);
    });
  }
  const table = document.getElementById("confusion");
  if (table) setUpMatrixTable(table);
  else setUpMatrixCanvas(page, panel);
}

function setUpCellPanel(page, gallery) {
  const { names, rows } = page;
  const [panel, title, hint, list, more, close] = [
    "cell", "cell-title", "cell-hint", "cell-images", "cell-more", "cell-close",
  ].map((id) => document.getElementById(id));
  const counts = new Map();
  for (let k = 0; k < page.cells.length; k += 3) {
    counts.set(`${page.cells[k]},${page.cells[k + 1]}`, page.cells[k + 2]);
  }
  const members = new Map();
  rows.paths.forEach((_, row) => {
    const key = `${rows.true[row]},${rows.predicted[row]}`;
    if (!members.has(key)) members.set(key, []);
    members.get(key).push(row);
  });
  let waiting = [];
  let opener = null;

  function showMore() {
    const from = list.children.length;
    list.append(...waiting.splice(0, CARDS_AT_ONCE).map((row) => gallery.card(row, "li")));
    more.hidden = !waiting.length;
    more.textContent = `Show ${Math.min(waiting.length, CARDS_AT_ONCE)} more`;
    return list.children[from];
  }

  function show(trueClass, saidClass, button) {
    const key = `${trueClass},${saidClass}`;
    const count = counts.get(key) ?? 0;
    // The least certain answers come first: they are worth the look.
    const found = [...(members.get(key) ?? [])].sort((a, b) => rows.score[a] - rows.score[b]);
    if (trueClass !== saidClass) found.reverse();
    const plural = count === 1 ? " image" : " images";
    title.replaceChildren(
      metric(`confusion_matrix.${trueClass}.${saidClass}`, count), plural + " of ",
      nameOf(names[trueClass]), " said to be ", nameOf(names[saidClass]),
    );
    hint.textContent = found.length < count ? `${found.length} of them are on this page.` : "";
    list.replaceChildren();
    waiting = found;
    showMore();
    panel.hidden = false;
    for (const other of document.querySelectorAll("#confusion button[aria-current]")) {
      other.removeAttribute("aria-current");
    }
    document.querySelector(
      `#confusion button[data-true="${trueClass}"][data-said="${saidClass}"]`,
    )?.setAttribute("aria-current", "true");
    opener = button ?? null;
    panel.scrollIntoView({ block: "nearest" });
  }

  more.addEventListener("click", () => {
    const first = showMore();
    first.tabIndex = -1;
    first.focus();
  });
  close.addEventListener("click", () => {
    panel.hidden = true;
    opener?.focus();
  });
  return { show };
}

function setUpCellForm(page, panel) {
  const selects = ["pick-true", "pick-said"].map((id) => document.getElementById(id));
  for (const select of selects) {
    select.append(...page.names.map((name, label) => make("option", { value: label }, name)));
  }
  if (page.names.length > 1) selects[1].selectedIndex = 1;
  document.getElementById("pick-cell").addEventListener("submit", (event) => {
    event.preventDefault();
    panel.show(selects[0].selectedIndex, selects[1].selectedIndex, event.submitter);
  });
}

// One cell is in the tab order; the arrow keys go to the next one that has images.
function setUpMatrixTable(table) {
  const buttons = [...table.querySelectorAll("td button")];
  const at = new Map(buttons.map((each) => [`${each.dataset.true},${each.dataset.said}`, each]));
  const size = table.tBodies[0].rows.length;
  const enter = (button) => {
    for (const other of buttons) other.tabIndex = other === button ? 0 : -1;
  };
  enter(buttons[0]);
  table.addEventListener("focusin", (event) => {
    if (event.target.matches("td button")) enter(event.target);
  });
  const steps = {
    ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
  };
  table.addEventListener("keydown", (event) => {
    const step = steps[event.key];
    if (!step || !event.target.matches("td button")) return;
    event.preventDefault();
    let i = Number(event.target.dataset.true) + step[0];
    let j = Number(event.target.dataset.said) + step[1];
    while (i >= 0 && j >= 0 && i < size && j < size) {
      const next = at.get(`${i},${j}`);
      if (next) {
        next.focus();
        return;
      }
      i += step[0];
      j += step[1];
    }
  });
  const [counts, shares] = ["show-counts", "show-shares"].map((id) => document.getElementById(id));
  setUpChoice(counts, shares, (second) => table.classList.toggle("shares", second));
}

async function setUpMatrixCanvas(page, panel) {
  const canvas = await embedCanvas(page, "matrix");
  const { names, cells } = page;
  const totals = new Map();
  const columns = { x: [], y: [], cell: [] };
  for (let k = 0; k < cells.length; k += 3) {
    totals.set(cells[k], (totals.get(cells[k]) ?? 0) + cells[k + 2]);
    columns.x.push(cells[k + 1]);
    columns.y.push(cells[k]);
    columns.cell.push(k);
  }
  const source = canvas.model("matrix-cells");
  const glyph = canvas.model("matrix-squares").glyph;
  const labels = new Map(names.map((name, label) => [label, plainLabel(shorten(name, 18))]));
  for (const letter of "xy") canvas.model(`matrix-${letter}-axis`).major_label_overrides = labels;

  function colour() {
    const [ground, right, wrong] = ["surface", "right-mark", "wrong-mark"].map(themeColour);
    const colours = columns.cell.map((k) => {
      const share = cells[k + 2] / totals.get(cells[k]);
      return mix(ground, cells[k] === cells[k + 1] ? right : wrong, 0.45 + 0.55 * Math.sqrt(share));
    });
    source.data = { ...columns, colour: colours };
  }

  // A square is as large as its cell, and never too small to be seen.
  function resize() {
    const [x, y] = ["matrix-x", "matrix-y"].map((name) => canvas.model(name));
    const box = canvas.holder.getBoundingClientRect();
    const room = Math.min(
      (box.width - 130) / Math.abs(x.end - x.start),
      (box.height - 110) / Math.abs(y.end - y.start),
    );
    glyph.size = { value: Math.min(Math.max(0.92 * room, 4.5), 60) };
  }

  canvas.onHover(source, (k) => {
    const count = metric(`confusion_matrix.${cells[k]}.${cells[k + 1]}`, cells[k + 2]);
    return make(
      "div", { class: "card" },
      make("p", {}, count, cells[k + 2] === 1 ? " image of " : " images of "),
      make("p", {}, nameOf(names[cells[k]])), make("p", {}, "said to be "),
      make("p", {}, nameOf(names[cells[k + 1]])),
    );
  }, "cell");
  canvas.onTap([[source, (k) => panel.show(cells[k], cells[k + 1])]], "cell");
  canvas.onZoom(resize);
  onThemeChange.push(colour);
  resize();
  colour();
  canvas.ready();
}
