// The datasets of a map: each is a button that shows or hides it, and lights it up while it is pointed at.
// pose_map.py puts this before pose_map.js, whose `div` it uses: one module made of several files.

function legend(side, on, { hide, light }) {
  let datasets = [], hidden = new Set();

  function entry(parent, { name, colour, count }, k) {
    const button = div(parent, "hp-map-entry", "button");
    button.dataset.dataset = k;
    button.title = `${name}: ${count.toLocaleString("en")} poses on the map\n` +
      "Click: show or hide. Double click, or Shift+Enter: only this one";
    div(button, "", "i").style.background = colour;
    div(button, "", "span").textContent = name;
    const only = () => hide([...datasets.keys()].filter((other) => other !== k));
    on(button, "click", (event) => {
      if (event.shiftKey) only();
      else hide(hidden.has(k) ? [...hidden].filter((other) => other !== k) : [...hidden, k]);
    });
    on(button, "dblclick", only);
    on(button, "pointerenter", () => light(k));
    on(button, "pointerleave", () => light(-1));
    on(button, "focus", () => { if (button.matches(":focus-visible")) light(k); });
    on(button, "blur", () => light(-1));
  }

  function list(wanted) {
    datasets = wanted;
    side.hidden = datasets.length < 2;
    side.replaceChildren();
    const all = div(side, "hp-map-all");
    for (const [label, about, which] of [["All", "Show every dataset", () => []],
                                         ["None", "Hide every dataset", () => datasets.keys()]]) {
      const button = div(all, "", "button");
      button.textContent = label;
      button.title = about;
      on(button, "click", () => hide(which()));
    }
    const entries = div(side, "hp-map-list");
    datasets.forEach((dataset, k) => entry(entries, dataset, k));
  }

  function show(wanted) {
    hidden = wanted;
    for (const button of side.querySelectorAll(".hp-map-entry")) {
      button.setAttribute("aria-pressed", String(!hidden.has(Number(button.dataset.dataset))));
    }
  }
  return { list, show };
}

