// Light or dark: as the system says, until the button says otherwise.
const onThemeChange = [];
document.documentElement.classList.add("js");

function setUpTheme() {
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const changed = () => onThemeChange.forEach((listener) => listener());
  button.hidden = false;
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
    root.dataset.theme = dark ? "light" : "dark";
    changed();
  });
  system.addEventListener("change", changed);
  setUpPaper(changed);
}

// Paper is white: canvases are drawn for it, too, and afterwards for the screen again.
function setUpPaper(changed) {
  const root = document.documentElement;
  let onScreen;
  addEventListener("beforeprint", () => {
    onScreen = root.dataset.theme;
    root.dataset.theme = "light";
    changed();
  });
  addEventListener("afterprint", () => {
    if (onScreen) root.dataset.theme = onScreen;
    else delete root.dataset.theme;
    changed();
  });
}

// What a custom property is in the theme of now, as a colour that a canvas takes.
function themeColour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
