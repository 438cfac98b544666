// What every page has.
function setUpNavigation() {
  const links = [...document.querySelectorAll(".bar nav a")];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const line = Math.min(0.35 * innerHeight, 320);
    const ended = scrollY > 0 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    const passed = sections.filter((each) => each.getBoundingClientRect().top <= line).length;
    const current = links[ended ? links.length - 1 : Math.max(passed - 1, 0)];
    if (current.hasAttribute("aria-current")) return;
    for (const link of links) link.removeAttribute("aria-current");
    current.setAttribute("aria-current", "true");
    const strip = current.closest("nav");
    strip.scrollLeft = current.offsetLeft - strip.offsetLeft - strip.clientWidth / 3;
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      mark();
    });
  }, { passive: true });
  mark();
}

function setUpCopying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(source);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected"; // a page from a file may not be allowed more
      }
    });
  }
}

// On paper nothing can be opened.
function setUpPrinting() {
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details:not([open])")) {
      each.open = true;
      opened.push(each);
    }
  });
  addEventListener("afterprint", () => {
    for (const each of opened.splice(0)) each.open = false;
  });
}

function start() {
  setUpTheme();
  setUpNavigation();
  setUpTables();
  setUpCopying();
  setUpPrinting();
}

start();
