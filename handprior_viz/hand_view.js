// The live hand in the page: what arrives from hand_view.py and what the person does. hand_picture.js draws it.
//
// Sent once: topology (faces, the subdivision as a sparse matrix, nails), look and stage. Sent per pose: one buffer of
// float32 for the coarse vertices, one for the joints; the vertices once more when they have come to rest, with the soft
// shadows that are their own. Whatever arrives between two animation frames, only the newest is drawn, and nothing is
// drawn while nothing changes.

const NEAR = 26; // pixels within which a joint is named

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
    <div class="hp-hand-view-legend" hidden><span></span><div><small></small><i></i><small></small></div></div>
    <div class="hp-hand-view-buttons"></div>
    <div class="hp-hand-view-hint">drag to turn · wheel to zoom · double-click to reset</div>
    <div class="hp-hand-view-caption"></div>
    <div class="hp-joint-dot" hidden></div><div class="hp-joint-name" hidden></div>`;
  el.appendChild(root);
  return root;
}

function buttonOf({ name, label, tip }) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.view = name;
  button.title = tip;
  button.textContent = label;
  return button;
}

/** The joint that stands nearest to the pointer; of two that are about as near, the one in front. */
function jointAt(pointer, joints, sides, stage, camera, width, height) {
  const count = joints.length / 3;
  let found = null, least = NEAR;
  for (let k = 0; k < count; k++) {
    const side = sides[Math.floor((k * sides.length) / count)];
    const [x, y, away, scale] = seenAt(joints.subarray(3 * k, 3 * k + 3), side, stage, camera, width, height);
    const near = Math.hypot(x - pointer[0], y - pointer[1]);
    const behind = Math.max(away - camera.distance, -1) * scale; // in pixels, too
    if (near < NEAR && (found === null || near + 0.3 * behind < least)) [found, least] = [{ k, x, y }, near + 0.3 * behind];
  }
  return found;
}

function render({ model, el }) {
  const root = build(el);
  const part = (name) => root.querySelector(`.hp-${name}`);
  const canvas = root.querySelector("canvas");
  const ending = new AbortController(); // takes every listener below with it
  const on = (target, name, act, more = {}) => target.addEventListener(name, act, { signal: ending.signal, ...more });
  const view = { ...REST };
  const stale = { hand: true, ghost: true, paint: true };
  let stage, presets, mesh, picture, sides, camera;
  let frame = 0, frames = 0, version = null, drawnAhead = false, rough = null, motion = null, pointer = null;

  function stand() {
    stage = model.get("stage");
    presets = presetsOf(stage);
    mesh = topology(model);
    part("hand-view-buttons").replaceChildren(...stage.views.map(buttonOf));
    Object.assign(view, presets[stage.views[0].name]);
    motion = null;
  }

  stand();
  try {
    picture = new Picture(canvas, mesh, model.get("look"));
  } catch (error) {
    root.classList.add("hp-hand-view-broken");
    root.textContent = `The live hand cannot be drawn: ${error.message}. Pictures can: handprior_viz.render_hands(pose).`;
    return () => root.remove();
  }

  const schedule = () => { frame ||= requestAnimationFrame(draw); };

  /** What comes from Python is drawn as soon as its message is read: waiting for the next frame would show it one later.
   * What comes before that frame waits for it, so that no more is drawn than is seen. */
  function arrived() {
    if (frame) return;
    if (drawnAhead) { schedule(); return; }
    drawnAhead = true;
    queueMicrotask(() => { if (!ending.signal.aborted) draw(performance.now()); });
    requestAnimationFrame(() => { drawnAhead = false; });
  }

  function draw(now) {
    cancelAnimationFrame(frame);
    frame = 0;
    if (motion) move(now);
    if (picture.gl.isContextLost()) return;
    if (picture.moving !== rough) stale.hand = stale.ghost = true;
    rough = picture.moving;
    upload();
    const width = Math.max(canvas.clientWidth, 1), height = Math.max(canvas.clientHeight, 1);
    picture.sharpen(width, height, schedule);
    camera = cameraOf(stage, view, width, height);
    sides = standing(view, stage, model.get("left_count") > 0);
    picture.clear();
    picture.aim([0, 0, canvas.width, canvas.height], camera);
    picture.drawHand(picture.layer(0), sides);
    picture.drawGhost(picture.layer(1), sides, ghostColour());
    label(width, height);
    nameJoint();
    root.dataset.frameCount = ++frames;
    root.dataset.atRest = picture.sharp && !motion;
    if (motion) schedule();
  }

  /** The theme's accent: light on a dark ground, where the dark one would not be seen. */
  function ghostColour() {
    return colourOf(getComputedStyle(root).getPropertyValue("--hp-accent").trim(), stage.ghost_opacity);
  }

  /** Hand what arrived to the graphics card. */
  function upload() {
    if (stale.hand) picture.pose(picture.layer(0), array(model, "positions", Float32Array));
    if (stale.ghost) picture.pose(picture.layer(1), array(model, "ghost_positions", Float32Array));
    if (stale.paint) picture.paint(picture.layer(0), array(model, "shares", Float32Array), model.get("legend").ramp ?? []);
    if (stale.hand) root.dataset.positionsVersion = version = model.get("version");
    stale.hand = stale.ghost = stale.paint = false;
  }

  function label(width, height) {
    const places = sidePlaces(stage, sides, camera, width, height);
    root.querySelectorAll(".hp-side").forEach((mark, k) => {
      mark.hidden = sides.length < 2;
      if (!mark.hidden) mark.style.transform = `translate(${places[k][0]}px, ${places[k][1] + 4}px) translateX(-50%)`;
    });
  }

  /** Say which joint the pointer is at. */
  function nameJoint() {
    const [dot, name] = [part("joint-dot"), part("joint-name")];
    const size = [canvas.clientWidth, canvas.clientHeight], joints = array(model, "joints", Float32Array);
    const found = pointer && camera && !held ? jointAt(pointer, joints, sides, stage, camera, ...size) : null;
    dot.hidden = name.hidden = !found;
    if (!found) return;
    name.textContent = model.get("joint_names")[found.k];
    const left = Math.min(pointer[0] + 14, size[0] - name.offsetWidth - 4);
    const top = pointer[1] + 18 + name.offsetHeight < size[1] ? pointer[1] + 18 : pointer[1] - 10 - name.offsetHeight;
    name.style.transform = `translate(${Math.max(left, 4)}px, ${top}px)`;
    dot.style.transform = `translate(${found.x}px, ${found.y}px) translate(-50%, -50%)`;
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

  function turn(yaw, pitch) {
    motion = null;
    view.yaw += yaw;
    view.pitch = Math.min(Math.max(view.pitch + pitch, -1.5), 1.5);
    schedule();
  }

  /** Come closer or go further; what is under the pointer stays there. */
  function zoom(factor, at = null) {
    motion = null;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const scale = () => { const c = cameraOf(stage, view, width, height); return (c.focal * height) / 2 / c.distance; };
    const before = scale();
    view.zoom = Math.min(Math.max(view.zoom * factor, stage.zoom[0]), stage.zoom[1]);
    const after = scale();
    if (at) {
      view.x += (at[0] - width / 2) * (1 / before - 1 / after);
      view.y -= (at[1] - height / 2) * (1 / before - 1 / after);
    }
    if (view.zoom >= 1) view.x = view.y = 0; // all of it is seen anyway
    schedule();
  }

  /** The same pose with its own soft shadows need not be drawn at once where a sharper picture is about to be. */
  function moved() {
    stale.hand = true;
    if (model.get("version") !== version || !picture.sharpening) arrived();
  }

  // What arrives from Python.
  const changed = { "change:positions": moved,
                    "change:ghost_positions": () => { stale.ghost = true; arrived(); },
                    "change:shares": () => { stale.paint = true; arrived(); },
                    "change:legend": legend, "change:figure": refigure,
                    "change:caption": caption, "change:height": size };
  for (const name in changed) model.on(name, changed[name]);
  function caption() { part("hand-view-caption").textContent = model.get("caption"); }
  function size() { root.style.height = `${model.get("height")}px`; }
  function legend() {
    const { label, low, high, ramp } = model.get("legend"), place = part("hand-view-legend");
    place.hidden = !ramp;
    if (!ramp) return;
    place.querySelector("span").textContent = label;
    [low, high].forEach((text, k) => { place.querySelectorAll("small")[k].textContent = text; });
    place.querySelector("i").style.background = `linear-gradient(to right, ${ramp})`;
  }
  function refigure() {
    stand();
    picture.take(mesh);
    stale.hand = stale.ghost = stale.paint = true;
    schedule();
  }

  // What the person does.
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let held = null;
  on(canvas, "pointerdown", (event) => {
    root.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    held = [event.clientX, event.clientY];
    nameJoint();
  });
  on(canvas, "pointermove", (event) => {
    pointer = place(event);
    if (!held) { nameJoint(); return; }
    turn((event.clientX - held[0]) * 0.01, (event.clientY - held[1]) * 0.01);
    held = [event.clientX, event.clientY];
  });
  on(canvas, "pointerleave", () => { pointer = null; nameJoint(); });
  on(canvas, "lostpointercapture", () => { held = null; });
  on(root, "dblclick", (event) => { if (event.target === canvas) reset(); });
  let entered = 0; // a wheel that is scrolling the page goes on scrolling it when the hand comes under the pointer
  on(canvas, "pointerenter", () => { entered = performance.now(); });
  on(canvas, "wheel", (event) => {
    const now = performance.now();
    if (now - entered < 250 && document.activeElement !== root) { entered = now; return; }
    event.preventDefault();
    zoom(Math.exp(event.deltaY * 0.001), place(event));
  }, { passive: false });
  on(root, "click", (event) => { if (event.target.dataset.view) goTo(presets[event.target.dataset.view]); });
  const reset = () => goTo(presets[stage.views[0].name]);
  const keys = {
    ArrowLeft: () => turn(-0.15, 0), ArrowRight: () => turn(0.15, 0), ArrowUp: () => turn(0, -0.15),
    ArrowDown: () => turn(0, 0.15), "+": () => zoom(0.9), "=": () => zoom(0.9), "-": () => zoom(1 / 0.9),
    0: reset, Home: reset,
  };
  on(root, "keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const named = stage.views.find(({ name }) => name[0] === key); // each view's key is its first letter
    const act = keys[key] ?? (named && (() => goTo(presets[named.name])));
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });

  // What the machine does.
  on(canvas, "webglcontextlost", (event) => event.preventDefault());
  on(canvas, "webglcontextrestored", () => {
    picture.build();
    stale.hand = stale.ghost = stale.paint = true;
    schedule();
  });
  picture.watch(schedule);

  caption();
  size();
  legend();
  schedule();
  return () => {
    for (const name in changed) model.off(name, changed[name]);
    ending.abort();
    cancelAnimationFrame(frame);
    picture.free();
    root.remove();
  };
}

export default { render };
