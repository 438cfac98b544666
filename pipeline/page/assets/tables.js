// Tables sorted by their heads and filtered by the names of their rows.
function setUpTables() {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) setUpScrolling(target);
  });
  for (const box of document.querySelectorAll(".scroll")) observer.observe(box);
  for (const table of document.querySelectorAll("table.sortable")) setUpSorting(table);
  for (const field of document.querySelectorAll("input[data-filter]")) {
    const rows = document.getElementById(field.dataset.filter).tBodies[0].rows;
    setUpFilter(field, () => rows);
  }
}

// What can be scrolled and has nothing in it for the keyboard is in the tab order itself.
function setUpScrolling(box) {
  const larger = box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  if (larger && !box.querySelector("button, input, a")) {
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", box.querySelector("caption").textContent);
  } else {
    for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
  }
}

function setUpFilter(field, elements) {
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    for (const element of elements()) {
      const name = element.querySelector(".name").textContent.toLowerCase();
      element.hidden = !name.includes(wanted);
    }
  });
}

function setUpSorting(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector(".sort")?.addEventListener("click", () => {
      // Names go up first, numbers down.
      const first = head.classList.contains("num") ? "descending" : "ascending";
      const second = first === "ascending" ? "descending" : "ascending";
      const order = head.getAttribute("aria-sort") === first ? second : first;
      for (const other of heads) {
        if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      }
      head.setAttribute("aria-sort", order);
      sortRows(table.tBodies[0], column, order === "ascending" ? 1 : -1);
    });
  });
}

function sortRows(body, column, sign) {
  const collator = new Intl.Collator(undefined, { numeric: true });
  const isNumeric = body.parentElement.tHead.rows[0].cells[column].classList.contains("num");
  const keyed = [...body.rows].map((row) => [sortKey(row.cells[column], isNumeric), row]);
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // what is unknown comes last
    return sign * (typeof a === "number" ? a - b : collator.compare(a, b));
  });
  body.append(...keyed.map(([, row]) => row));
}

function sortKey(cell, isNumeric) {
  const number = cell.querySelector("data");
  if (number) return JSON.parse(number.value);
  return isNumeric ? null : cell.textContent;
}
