// A map of poses: many points on a canvas, and over them what moves (map_overlay.js); beside it the datasets
// (map_legend.js).

const REACH = 14; // CSS pixels from the pointer to a point that it means
const DRAG = 4; // pixels before a press becomes a lasso
const STEP = 8; // pixels of an arrow key, four times as many with Shift
const AROUND = 12; // hands around a place
const PAD = 14; // pixels between the outermost points and the edge
const SVG = "http://www.w3.org/2000/svg";

const array = (model, name, Type) => {
  const view = model.get(name);
  return view?.byteLength ? new Type(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : new Type(0);
};

function svg(parent, name, className) {
  const made = document.createElementNS(SVG, name);
  made.setAttribute("class", className);
  parent.append(made);
  return made;
}

function div(parent, className, tag = "div") {
  const made = document.createElement(tag);
  made.className = className;
  parent.append(made);
  return made;
}

// How often a closed polygon winds around a point; not 0: inside (a lasso that crosses itself keeps both its loops).
function winding(path, x, y) {
  let turns = 0;
  for (let k = 0, j = path.length - 1; k < path.length; j = k++) {
    const [ax, ay] = path[j], [bx, by] = path[k];
    if (ay <= y === by <= y) continue;
    const left = (bx - ax) * (y - ay) - (x - ax) * (by - ay);
    if (by > y && left > 0) turns += 1;
    if (by <= y && left < 0) turns -= 1;
  }
  return turns;
}

function build(el) {
  el.classList.add("handprior");
  const root = div(el, "hp-map");
  const plot = div(root, "hp-map-plot");
  for (const part of [root, plot]) part.dataset.lmSuppressShortcuts = "true"; // keys are for the map, not for JupyterLab
  plot.tabIndex = 0;
  plot.setAttribute("role", "application");
  plot.setAttribute("aria-label", "Map of the store's hand poses. Arrow keys move a cross, Enter shows the pose at it, " +
    "Space the hands around it, Escape takes it away.");
  const canvas = div(plot, "hp-map-points", "canvas");
  const over = svg(plot, "svg", "hp-map-over");
  const words = Object.fromEntries(["across", "up"].map((name) => [name, div(plot, `hp-map-axis hp-map-${name}`)]));
  const scale = div(plot, "hp-map-scale"), tip = div(plot, "hp-map-tip"), empty = div(plot, "hp-map-empty");
  tip.setAttribute("aria-live", "polite");
  const side = div(root, "hp-map-side"), foot = div(root, "hp-map-foot");
  return { root, plot, canvas, over, words, scale, tip, empty, side, foot };
}

function render({ model, el }) {
  const { root, plot, canvas, over, words, scale, tip, empty, side, foot } = build(el);
  const ending = new AbortController();
  const on = (target, name, act, more = {}) => target.addEventListener(name, act, { signal: ending.signal, ...more });
  let points = new Float32Array(0), groups = new Uint16Array(0), datasets = [];
  let hidden = new Set(), lit = -1, frame = 0, frames = 0;
  let middle = [0, 0], pixels = 1, width = 1, height = 1, dpr = 1;
  let lasso = null, cursor = null;

  const across = (x) => width / 2 + (x - middle[0]) * pixels;
  const down = (y) => height / 2 - (y - middle[1]) * pixels;
  const place = (k) => [across(points[2 * k]), down(points[2 * k + 1])];
  const shown = (k) => !hidden.has(groups[k]);
  const above = overlay(over, { across, down, size: () => [width, height] });

  // Points -----------------------------------------------------------------------------------------------------------

  function fit() {
    dpr = Math.min(window.devicePixelRatio || 1, 2);
    [width, height] = [Math.max(plot.clientWidth, 1), Math.max(plot.clientHeight, 1)];
    [canvas.width, canvas.height] = [Math.round(width * dpr), Math.round(height * dpr)];
    over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    points.forEach((value, k) => {
      low[k % 2] = Math.min(low[k % 2], value);
      high[k % 2] = Math.max(high[k % 2], value);
    });
    middle = points.length ? [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2] : [0, 0];
    const room = [width - 2 * PAD - 22, height - 2 * PAD - 22]; // one scale for both: distances are true
    pixels = points.length ? Math.min(room[0] / Math.max(high[0] - low[0], 1), room[1] / Math.max(high[1] - low[1], 1)) : 1;
    pixels = Math.max(pixels, 1e-3);
    const length = [1, 2, 5, 10, 20, 50, 100].find((mm) => mm * pixels >= 40) ?? 200;
    scale.textContent = `${length} mm`;
    scale.style.width = `${length * pixels}px`;
    scale.hidden = !points.length;
  }

  function sprite(colour, radius) {
    const size = Math.ceil(2 * radius * dpr) + 2, dot = document.createElement("canvas");
    [dot.width, dot.height] = [size, size];
    const pen = dot.getContext("2d");
    pen.fillStyle = colour;
    pen.arc(size / 2, size / 2, radius * dpr, 0, 7);
    pen.fill();
    return dot;
  }

  function draw() {
    frame = 0;
    const pen = canvas.getContext("2d"), radius = groups.length > 5000 ? 1.7 : 2.4;
    // The more points lie on each other, the fainter they are, so that crowds can be told from crowds of crowds.
    const crowd = (groups.length * Math.PI * radius ** 2) / (width * height / 4);
    const ink = Math.min(0.75, Math.max(0.25, 0.75 / Math.sqrt(crowd)));
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const dots = datasets.map(({ colour }) => sprite(colour, radius));
    for (const pass of lit < 0 ? [0] : [0, 1]) { // the dataset that is pointed at lies on top
      for (let k = 0; k < groups.length; k++) {
        if (!shown(k) || (lit >= 0 && (groups[k] === lit) !== (pass === 1))) continue;
        const dot = dots[groups[k]], [x, y] = place(k);
        pen.globalAlpha = lit < 0 ? ink : pass ? 1 : 0.1;
        pen.drawImage(dot, Math.round(x * dpr - dot.width / 2), Math.round(y * dpr - dot.height / 2));
      }
    }
    root.dataset.frameCount = ++frames;
  }
  const schedule = () => { frame ||= requestAnimationFrame(draw); };

  function nearest(x, y, count, reach = Infinity) {
    const found = [];
    for (let k = 0; k < groups.length; k++) {
      if (!shown(k)) continue;
      const [a, b] = place(k), distance = Math.hypot(a - x, b - y);
      if (distance <= reach) found.push([distance, k]);
    }
    return found.sort((one, other) => one[0] - other[0]).slice(0, count).map(([, k]) => k);
  }

  // What lies over them ----------------------------------------------------------------------------------------------

  const marked = () => (model.get("mark").length && groups.length ? model.get("mark") : null);
  function showMark() {
    root.dataset.mark = model.get("mark").join(" ");
    above.mark(marked());
  }
  function showNumbers() {
    above.numbers(model.get("numbered").filter((k) => k < groups.length).map(place), marked());
  }

  function point(k) {
    plot.dataset.over = k ?? "";
    above.hover(k === undefined ? null : place(k));
    tip.textContent = k === undefined ? "" : datasets[groups[k]]?.name ?? "";
    tip.hidden = k === undefined;
    if (k === undefined) return;
    const [x, y] = place(k), flip = x > width - 150;
    tip.style.left = flip ? "" : `${x + 12}px`;
    tip.style.right = flip ? `${width - x + 12}px` : "";
    tip.style.top = `${Math.max(y - 28, 2)}px`;
  }

  function refresh() {
    fit();
    schedule();
    above.forget(false);
    above.lasso(null);
    showMark();
    showNumbers();
    point();
  }

  // Choosing ---------------------------------------------------------------------------------------------------------

  const pick = (k) => { if (k !== undefined) model.send({ picked: k }); };
  function choose(indices, from) {
    model.send({ chosen: indices.length, from }, undefined, [new Uint32Array(indices).buffer]);
  }
  function enclosed(path) {
    const found = [];
    for (let k = 0; k < groups.length; k++) if (shown(k) && winding(path, ...place(k))) found.push(k);
    return found;
  }
  const at = (event) => {
    const box = plot.getBoundingClientRect();
    return [event.clientX - box.left - plot.clientLeft, event.clientY - box.top - plot.clientTop];
  };

  on(plot, "pointerdown", (event) => {
    if (event.button) return;
    lasso = { path: [at(event)], far: false };
    plot.setPointerCapture(event.pointerId);
  });
  on(plot, "pointermove", (event) => {
    const here = at(event);
    if (!lasso) return point(nearest(...here, 1, REACH)[0]);
    lasso.far ||= Math.hypot(here[0] - lasso.path[0][0], here[1] - lasso.path[0][1]) > DRAG;
    lasso.path.push(here);
    if (lasso.far) { point(); above.lasso(lasso.path, false); }
  });
  on(plot, "pointerup", (event) => {
    if (!lasso) return;
    const { path, far } = lasso;
    lasso = null;
    if (!far) { above.lasso(null); return pick(nearest(...at(event), 1, REACH)[0]); }
    above.lasso(path, true);
    choose(enclosed(path), "lasso");
  });
  on(plot, "pointercancel", () => { lasso = null; above.lasso(null); });
  on(plot, "pointerleave", () => { if (!cursor) point(); });
  on(plot, "keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key], mark = model.get("mark");
    if (move) {
      const step = STEP * (event.shiftKey ? 4 : 1);
      cursor ??= mark.length ? [across(mark[0]), down(mark[1])] : [width / 2, height / 2];
      cursor = [[0, width], [1, height]].map(([k, end]) => Math.min(Math.max(cursor[k] + step * move[k], 0), end));
    } else if (event.key === "Enter" && cursor) pick(nearest(...cursor, 1)[0]);
    else if (event.key === " " && cursor) choose(nearest(...cursor, AROUND), "around");
    else if (event.key === "Escape") { cursor = lasso = null; above.lasso(null); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    above.cross(cursor);
    point(cursor ? nearest(...cursor, 1)[0] : undefined);
  });
  on(plot, "blur", () => { cursor = null; above.cross(null); point(); });

  // From Python ------------------------------------------------------------------------------------------------------

  function load() {
    points = array(model, "points", Float32Array);
    groups = array(model, "dataset_of", Uint16Array);
    datasets = model.get("datasets");
    for (const name of ["across", "up"]) {
      const { low = "", high = "", about = "" } = model.get("axes")[name] ?? {};
      words[name].replaceChildren(...[low && `\u2190 ${low}`, about, high && `${high} \u2192`].map((text) => {
        const part = document.createElement("span");
        part.textContent = text;
        return part;
      }));
    }
    above.forget(true);
    entries.list(datasets);
    root.classList.toggle("hp-map-alone", datasets.length < 2);
    showHidden();
    refresh();
    said();
  }
  function showHidden() {
    hidden = new Set(model.get("hidden"));
    entries.show(hidden);
    point();
    schedule();
  }
  function said() {
    empty.textContent = groups.length ? "" : model.get("said");
    empty.hidden = Boolean(groups.length);
    foot.hidden = !groups.length;
  }
  const entries = legend(side, on, {
    hide: (wanted) => {
      model.set("hidden", [...wanted].sort((a, b) => a - b));
      model.save_changes();
    },
    light: (which) => { lit = which; schedule(); },
  });
  const around = div(foot, "", "button");
  around.textContent = "Hands around this pose";
  around.title = `The ${AROUND} hands that are nearest to this pose on the map`;
  on(around, "click", () => {
    const mark = model.get("mark");
    if (mark.length) choose(nearest(across(mark[0]), down(mark[1]), AROUND), "around");
  });
  div(foot, "hp-muted", "span").textContent =
    "Circle: this pose, and its way of the last seconds. Click a point to load its pose; drag around points to see " +
    "their hands. Directions: first two principal components of where the finger joints and tips are, wrist on wrist.";

  const told = { "change:version": load, "change:mark": showMark, "change:numbered": showNumbers,
                 "change:hidden": showHidden, "change:said": said };
  for (const [name, act] of Object.entries(told)) model.on(name, act);
  const resized = new ResizeObserver(() => {
    if (plot.clientWidth && (plot.clientWidth !== width || plot.clientHeight !== height)) refresh();
  });
  resized.observe(plot);
  above.cross(null);
  load();
  return () => {
    ending.abort();
    resized.disconnect();
    above.end();
    cancelAnimationFrame(frame);
    for (const [name, act] of Object.entries(told)) model.off(name, act);
  };
}

export default { render };
