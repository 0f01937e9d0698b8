// The live hand in the page: what arrives from hand_view.py and what the person does. hand_picture.js draws it.
//
// Sent once: topology (faces, the subdivision as a sparse matrix, nails), look and stage. Sent per pose: one buffer of
// float32 for the coarse vertices. Whatever arrives between two animation frames, only the newest is drawn, and nothing
// is drawn while nothing changes.

const REST = { yaw: 0, mirror: 0, pitch: 0, zoom: 1 };

function build(el) {
  el.classList.add("handprior");
  const root = document.createElement("div");
  root.className = "hp-hand-view";
  root.tabIndex = 0;
  root.dataset.lmSuppressShortcuts = "true"; // arrow keys are for the hand while it has the focus, not for JupyterLab
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Live hands. Arrow keys turn them, plus and minus zoom, 0 resets the view.");
  root.innerHTML = `
    <canvas></canvas>
    <span class="hp-side">L</span><span class="hp-side">R</span>
    <div class="hp-hand-view-buttons">
      <button type="button" data-view="palm" title="See the palms (P)">Palm</button>
      <button type="button" data-view="back" title="See the backs of the hands (B)">Back</button>
      <button type="button" data-view="thumb" title="See the thumb side (T)">Thumb side</button>
    </div>
    <div class="hp-hand-view-hint">drag to turn · wheel to zoom · double-click to reset</div>
    <div class="hp-hand-view-caption"></div>`;
  el.appendChild(root);
  return root;
}

function render({ model, el }) {
  const root = build(el);
  const canvas = root.querySelector("canvas");
  const stage = model.get("stage");
  const ending = new AbortController(); // takes every listener below with it
  const on = (target, name, act, more = {}) => target.addEventListener(name, act, { signal: ending.signal, ...more });
  const presets = Object.fromEntries(Object.entries(stage.turns).map(([name, turn]) => [name, { ...REST, mirror: turn }]));
  const leftCount = model.get("left_count");
  const view = { ...REST };
  let picture, frame = 0, frames = 0, settling = 0, settled = false, motion = null, stale = { hand: true, ghost: true };

  const mesh = {
    indptr: array(model, "indptr", Uint32Array),
    indices: array(model, "indices", Uint32Array),
    weights: array(model, "weights", Float32Array),
    faces: array(model, "faces", Uint32Array),
    nails: array(model, "nails", Float32Array),
  };
  try {
    picture = new Picture(canvas, mesh, model.get("look"));
  } catch (error) {
    root.classList.add("hp-hand-view-broken");
    root.textContent = `The live hand cannot be drawn: ${error.message}. Pictures can: handprior_viz.render_hands(pose).`;
    return () => root.remove();
  }

  const schedule = () => { frame ||= requestAnimationFrame(draw); };

  function draw(now) {
    frame = 0;
    if (motion) move(now);
    if (picture.gl.isContextLost()) return;
    if (stale.hand) picture.pose(picture.hand, array(model, "positions", Float32Array));
    if (stale.ghost) picture.pose(picture.ghost, array(model, "ghost_positions", Float32Array));
    if (stale.hand) root.dataset.positionsVersion = model.get("version");
    stale = { hand: false, ghost: false };
    const width = Math.max(canvas.clientWidth, 1), height = Math.max(canvas.clientHeight, 1);
    sharpen(width, height);
    const focal = 1 / Math.tan(stage.field_of_view / 2);
    const distance = Math.max((stage.half_width * height) / width, stage.half_height) * focal * view.zoom;
    const sides = standing(view, stage, leftCount, mesh.faces.length);
    const lens = [(focal * height) / width, focal, 0.02, distance + 1];
    picture.draw(sides, [0, stage.middle, distance], lens, colourOf(stage.accent, stage.ghost_opacity));
    label(sides, distance, focal, width, height);
    root.dataset.frameCount = ++frames;
    if (motion) schedule();
  }

  /** Fit the drawing to the screen's pixels; without a graphics card only once things have come to rest. */
  function sharpen(width, height) {
    const fine = picture.slow ? (settled ? 2 : 1) : Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * fine), Math.round(height * fine)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    clearTimeout(settling);
    if (picture.slow && !settled) settling = setTimeout(() => { settled = true; schedule(); }, 900);
    settled = false;
  }

  function label(sides, distance, focal, width, height) {
    root.querySelectorAll(".hp-side").forEach((mark, k) => {
      const down = stage.wrist_end - stage.middle, { turn, place } = sides[k];
      const x = place[0] + turn[3] * down, y = turn[4] * down, z = turn[5] * down;
      const scale = (focal * height) / 2 / (distance - z);
      mark.style.transform = `translate(${width / 2 + scale * x}px, ${height / 2 - scale * y + 4}px) translateX(-50%)`;
    });
  }

  function goTo(target) {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    motion = { from: { ...view }, to: target, start: performance.now(), span: calm ? 1 : 280 };
    schedule();
  }

  function move(now) {
    const share = Math.min(Math.max((now - motion.start) / motion.span, 0), 1);
    const eased = share * share * (3 - 2 * share);
    for (const key in view) view[key] = motion.from[key] + eased * (motion.to[key] - motion.from[key]);
    if (share === 1) motion = null;
  }

  function nudge(yaw, pitch, zoom = 1) {
    motion = null;
    view.yaw += yaw;
    view.pitch = Math.min(Math.max(view.pitch + pitch, -1.5), 1.5);
    view.zoom = Math.min(Math.max(view.zoom * zoom, 0.35), 2.5);
    schedule();
  }

  // What arrives from Python.
  const changed = { "change:positions": () => { stale.hand = true; schedule(); },
                    "change:ghost_positions": () => { stale.ghost = true; schedule(); },
                    "change:caption": caption, "change:height": size };
  for (const name in changed) model.on(name, changed[name]);
  function caption() { root.querySelector(".hp-hand-view-caption").textContent = model.get("caption"); }
  function size() { root.style.height = `${model.get("height")}px`; }

  // What the person does.
  let held = null;
  on(canvas, "pointerdown", (event) => {
    root.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    held = [event.clientX, event.clientY];
  });
  on(canvas, "pointermove", (event) => {
    if (!held) return;
    nudge((event.clientX - held[0]) * 0.01, (event.clientY - held[1]) * 0.01);
    held = [event.clientX, event.clientY];
  });
  on(canvas, "lostpointercapture", () => { held = null; });
  on(root, "dblclick", (event) => { if (event.target === canvas) goTo(presets.palm); });
  let entered = 0; // a wheel that is scrolling the page goes on scrolling it when the hand comes under the pointer
  on(canvas, "pointerenter", () => { entered = performance.now(); });
  on(canvas, "wheel", (event) => {
    const now = performance.now();
    if (now - entered < 250 && document.activeElement !== root) { entered = now; return; }
    event.preventDefault();
    nudge(0, 0, Math.exp(event.deltaY * 0.001));
  }, { passive: false });
  on(root, "click", (event) => { if (event.target.dataset.view) goTo(presets[event.target.dataset.view]); });
  const keys = {
    ArrowLeft: () => nudge(-0.15, 0), ArrowRight: () => nudge(0.15, 0), ArrowUp: () => nudge(0, -0.15),
    ArrowDown: () => nudge(0, 0.15), "+": () => nudge(0, 0, 0.9), "=": () => nudge(0, 0, 0.9),
    "-": () => nudge(0, 0, 1 / 0.9), 0: () => goTo(presets.palm), Home: () => goTo(presets.palm),
    p: () => goTo(presets.palm), b: () => goTo(presets.back), t: () => goTo(presets.thumb),
  };
  on(root, "keydown", (event) => {
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  // What the machine does.
  on(canvas, "webglcontextlost", (event) => event.preventDefault());
  on(canvas, "webglcontextrestored", () => {
    picture.build();
    stale = { hand: true, ghost: true };
    schedule();
  });
  const resized = new ResizeObserver(schedule);
  resized.observe(canvas);

  caption();
  size();
  schedule();
  return () => {
    for (const name in changed) model.off(name, changed[name]);
    ending.abort();
    resized.disconnect();
    cancelAnimationFrame(frame);
    clearTimeout(settling);
    picture.free();
    root.remove();
  };
}

export default { render };
