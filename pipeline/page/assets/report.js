// The page about one fit.
function setUpReasons() {
  const buttons = [...document.querySelectorAll("#mistakes .reason")];
  const show = (button, reason) => {
    const shot = button.closest(".card").querySelector(".shot");
    shot.firstElementChild.hidden = reason;
    shot.querySelector(".why").hidden = !reason;
    setPressed(button, reason);
  };
  for (const button of buttons) {
    button.addEventListener("click", () => show(button, button.getAttribute("aria-pressed") !== "true"));
  }
  const [photos, reasons] = ["show-photos", "show-reasons"].map((id) => document.getElementById(id));
  if (photos) setUpChoice(photos, reasons, (second) => buttons.forEach((each) => show(each, second)));
}

const page = JSON.parse(document.getElementById("page-data").textContent);
const gallery = makeGallery(page);
setUpReasons();
setUpMatrix(page, gallery);
setUpMap(page, gallery);
