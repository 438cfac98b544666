// Elements made of text: nothing that a file or a class is called is ever read as HTML.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value === "boolean") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const nameOf = (text) => make("bdi", { class: "name" }, text);

// A number of metrics.json, marked as the ones that the page came with.
function metric(path, value) {
  const text = value.toLocaleString("en-US");
  const marks = { class: "metric", "data-metric": path, "data-format": "count", value };
  return make("data", marks, text);
}

function setPressed(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

// Two buttons of which one is pressed: `choose(true)` after the second.
function setUpChoice(first, second, choose) {
  for (const button of [first, second]) {
    button.addEventListener("click", () => {
      setPressed(first, button === first);
      setPressed(second, button === second);
      choose(button === second);
    });
  }
}
