// The map of distances between datasets: the number of a square is said under the pointer, and by the arrow keys.

export default {
  render({ model, el }) {
    const root = document.createElement("div");
    root.className = "handprior hp-markup";
    el.appendChild(root);
    const ending = new AbortController();
    let map = null, said = null, names = [], values = [], at = null;

    const inside = (k) => k >= 0 && k < names.length;
    function show(place) {
      at = place;
      const there = at && at[0] !== at[1], here = map.querySelector(".here");
      here.style.visibility = there ? "visible" : "hidden";
      said.classList.toggle("hp-muted", !there);
      if (!there) return void (said.textContent = said.dataset.rest);
      const side = Number(map.dataset.side), room = Number(map.dataset.room), [row, column] = at;
      here.setAttribute("x", room + side * column - 0.5);
      here.setAttribute("y", room + side * row - 0.5);
      const value = values[row * names.length + column];
      const number = Number.isFinite(value) ? value.toFixed(2) : "not known, one of them has no live hand";
      said.textContent = `${names[row]} and ${names[column]}: ${number}`;
    }
    function point(event) {
      const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(map.getScreenCTM().inverse());
      const side = Number(map.dataset.side), room = Number(map.dataset.room);
      const found = [place.y, place.x].map((value) => Math.floor((value - room) / side));
      show(found.every(inside) ? found : null);
    }
    function press(event) {
      const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }, step = steps[event.key];
      if (!step && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      if (!step) return show(null);
      let next = at ? at.map((k, axis) => k + step[axis]) : [0, 1];
      if (next[0] === next[1]) next = next.map((k, axis) => k + step[axis]); // nothing lies apart from itself
      if (next.every(inside)) show(next);
    }
    function load() {
      root.innerHTML = model.get("markup");
      [map, said] = [root.querySelector("svg.map"), root.querySelector(".hp-audit-here")];
      names = model.get("names");
      const raw = model.get("values");
      values = raw?.byteLength ? new Float32Array(raw.buffer.slice(raw.byteOffset, raw.byteOffset + raw.byteLength)) : [];
      if (!map) return;
      map.tabIndex = 0;
      said.dataset.rest = said.textContent;
      const acts = { pointermove: point, pointerleave: () => show(null), blur: () => show(null), keydown: press };
      for (const [name, act] of Object.entries(acts)) map.addEventListener(name, act, { signal: ending.signal });
    }

    load();
    model.on("change:version", load);
    return () => {
      ending.abort();
      model.off("change:version", load);
    };
  },
};
