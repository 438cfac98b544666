// As formats.py writes it: halves up, and more digits where fewer would say nothing or all.
function showPercent(share) {
  const units = Math.round(share * 1e12);
  const all = units === 0 || units === 1e12;
  for (let digits = 1; ; digits += 1) {
    const shown = (Math.round(units / 10 ** (10 - digits)) / 10 ** digits).toFixed(digits);
    if (all || digits === 4 || !["0", "100"].includes(String(Number(shown)))) return shown;
  }
}

// Cards of test images, made when they are asked for.
function makeGallery(page) {
  const { names, rows, thumbnails, kind } = page;

  function showScore(score) {
    if (score === null) return "";
    return kind === "probability" ? `${showPercent(score)}\u00a0%` : score.toFixed(2).replace("-", "−");
  }

  function said(word, label, score, look) {
    const number = make("span", { class: "figure" }, showScore(score));
    return make("p", { class: `said ${look}` }, `${word} `, nameOf(names[label]), " ", number);
  }

  function picture(row) {
    const found = thumbnails[row];
    if (!found) return make("span", { class: "none" }, "no picture");
    return make("img", {
      src: `data:image/webp;base64,${found}`,
      alt: `${names[rows.true[row]]}, said to be ${names[rows.predicted[row]]}`,
      decoding: "async",
    });
  }

  function fill(card, row) {
    const wrong = rows.true[row] !== rows.predicted[row];
    const words = make("div", { class: "words" });
    words.append(said("said", rows.predicted[row], rows.score[row], wrong ? "wrong" : "right"));
    if (rows.other[row] >= 0) {
      const look = wrong ? "right" : "";
      words.append(said(wrong ? "is" : "next", rows.other[row], rows.otherScore[row], look));
    }
    words.append(make("p", { class: "path" }, nameOf(rows.paths[row])));
    card.replaceChildren(make("div", { class: "shot" }, picture(row)), words);
    card.dataset.row = row;
    return card;
  }

  return { card: (row, tag = "div") => fill(make(tag, { class: "card" }), row), fill };
}
