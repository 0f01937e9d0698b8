// What lies over the points of a map, as SVG that follows the theme: the shown pose and where it came from, the pointer's
// point, the keyboard's cross, a lasso, and the numbers of chosen hands. Only this changes while a slider is dragged.
// pose_map.py puts this before pose_map.js, whose `svg` it uses: one module made of several files.

const TRAIL_MS = 4000;
const LABEL = [17, 14]; // CSS pixels that the number of a hand takes
const RINGS = [13, 24, 36, 48, 60]; // pixels from a point to the middle of its number, the nearest first

// Where the numbers of points go so that none lies on another: each beside its point, else in the next ring around it.
function spread(points, avoid, width, height) {
  const taken = avoid ? [avoid] : [];
  const room = (x, y) => x > LABEL[0] / 2 && x < width - LABEL[0] / 2 && y > LABEL[1] / 2 && y < height - LABEL[1] / 2 &&
    taken.every(([a, b]) => Math.abs(a - x) >= LABEL[0] || Math.abs(b - y) >= LABEL[1]);
  return points.map(([x, y]) => {
    const spots = RINGS.flatMap((radius) => {
      const count = Math.floor(radius / 2) + 2;
      return [...Array(count).keys()].map((k) => (2 * Math.PI * k) / count)
        .map((angle) => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)]);
    });
    const free = spots.find(([a, b]) => room(a, b)) ?? spots[0];
    taken.push(free);
    return free;
  });
}

function overlay(over, { across, down, size }) {
  const parts = Object.fromEntries(["trail", "lasso"].map((name) => [name, svg(over, "path", `hp-map-${name}`)]));
  parts.numbers = svg(over, "g", "hp-map-numbers");
  for (const [name, shape] of [["hover", "circle"], ["cross", "path"]]) parts[name] = svg(over, shape, `hp-map-${name}`);
  parts.hover.setAttribute("r", 6);
  parts.cross.setAttribute("d", "M-9 0H9M0 -9V9");
  parts.mark = svg(over, "g", "hp-map-mark");
  for (const [name, r] of [["halo", 8], ["ring", 8], ["dot", 2.5]]) svg(parts.mark, "circle", `hp-map-${name}`).setAttribute("r", r);
  let trail = [], fading = 0;

  const put = (part, at) => {
    part.style.display = at ? "" : "none";
    if (at) part.setAttribute("transform", `translate(${at[0].toFixed(1)} ${at[1].toFixed(1)})`);
  };
  const inside = (value, end) => Math.min(Math.max(value, 8), end - 8); // a wild pose waits at the edge

  function mark(at) {
    if (!at) return put(parts.mark, null);
    const [width, height] = size();
    put(parts.mark, [inside(across(at[0]), width), inside(down(at[1]), height)]);
    if (String(trail.at(-1)?.at) !== String(at)) trail.push({ at, when: performance.now() });
    showTrail();
  }
  function showTrail() {
    const now = performance.now();
    trail = trail.filter(({ when }, k) => now - when < TRAIL_MS || k === trail.length - 1);
    const line = trail.map(({ at: [x, y] }) => `${across(x).toFixed(1)} ${down(y).toFixed(1)}`);
    parts.trail.setAttribute("d", line.length > 1 ? `M${line.join("L")}` : "");
    clearTimeout(fading);
    if (trail.length > 1) fading = setTimeout(showTrail, 120);
  }
  // The trail goes when the map is laid out anew; at another size only what leads to the mark stays.
  function forget(all) {
    trail = all ? [] : trail.slice(-1);
  }

  function numbers(points, marked) {
    parts.numbers.replaceChildren();
    const avoid = marked ? [across(marked[0]), down(marked[1])] : null;
    spread(points, avoid, ...size()).forEach(([x, y], rank) => {
      const [a, b] = points[rank], one = svg(parts.numbers, "g", "");
      const away = Math.hypot(x - a, y - b);
      if (away > RINGS[0] + 1) { // too far to be told by its place alone
        const [from, to] = [4 / away, 1 - 7 / away].map((share) => `${a + share * (x - a)} ${b + share * (y - b)}`);
        svg(one, "path", "").setAttribute("d", `M${from}L${to}`);
      }
      const ring = svg(one, "circle", ""), label = svg(one, "text", "");
      for (const [name, value] of [["r", 4], ["cx", a], ["cy", b]]) ring.setAttribute(name, value);
      label.setAttribute("x", x);
      label.setAttribute("y", y + 4);
      label.textContent = rank + 1;
    });
  }

  function lasso(path, closed) {
    parts.lasso.setAttribute("d", path?.length > 1 ? `M${path.map(([x, y]) => `${x} ${y}`).join("L")}${closed ? "Z" : ""}` : "");
  }

  return {
    mark, forget, numbers, lasso,
    hover: (at) => put(parts.hover, at),
    cross: (at) => put(parts.cross, at),
    end: () => clearTimeout(fading),
  };
}

