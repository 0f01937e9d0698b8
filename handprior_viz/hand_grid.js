// Many small live hands: hand_grid.py sends them, hand_picture.js draws them into one canvas that lies over the cards.
//
// Sent once: topology, look and stage. Sent per change: the cards' words, and one buffer of 16-bit numbers for all poses.

const BELOW = 12; // pixels of a card that are kept free below the wrists, for L and R

function cardOf(words, index, action) {
  const card = document.createElement("div");
  card.className = "hp-grid-card";
  card.dataset.index = index;
  card.setAttribute("role", action ? "button" : "img");
  card.setAttribute("aria-label", words.title || `hands ${index + 1}`);
  card.title = [words.title, action].filter(Boolean).join("\n");
  card.innerHTML = `
    <div class="hp-grid-title"><i></i><span></span></div>
    <div class="hp-grid-hands"><b></b><span class="hp-side">L</span><span class="hp-side">R</span></div>`;
  card.querySelector("i").style.background = words.colour || "";
  card.querySelector("i").hidden = !words.colour;
  card.querySelector(".hp-grid-title span").textContent = words.title ?? "";
  card.querySelector("b").textContent = words.mark ?? "";
  return card;
}

function build(model, el) {
  el.classList.add("handprior");
  const root = document.createElement("div");
  root.className = "hp-hand-grid";
  root.dataset.lmSuppressShortcuts = "true";
  root.innerHTML = `<div class="hp-grid-room"><div class="hp-grid-cards"></div><canvas></canvas></div>
    <div class="hp-grid-caption"><span></span><span></span></div>`;
  const [width, height] = model.get("cell");
  root.style.setProperty("--columns", model.get("columns"));
  root.style.setProperty("--cell-width", `${width}px`);
  root.style.setProperty("--cell-height", `${height}px`);
  el.appendChild(root);
  return root;
}

function render({ model, el }) {
  const root = build(model, el);
  const canvas = root.querySelector("canvas"), room = root.querySelector(".hp-grid-cards");
  const [hint, caption] = root.querySelectorAll(".hp-grid-caption span");
  const stage = model.get("stage"), action = model.get("action");
  const presets = presetsOf(stage), view = { ...presets[model.get("view")] };
  const ending = new AbortController(); // takes every listener below with it
  const on = (target, name, act, more = {}) => target.addEventListener(name, act, { signal: ending.signal, ...more });
  let picture = null, frame = 0, frames = 0, stale = true, shown = 0;

  try {
    picture = new Picture(canvas, topology(model), model.get("look"));
  } catch (error) {
    root.classList.add("hp-grid-broken");
    hint.textContent = `The live hands cannot be drawn: ${error.message}. Pictures can: handprior_viz.render.contact_sheet(poses).`;
  }
  const schedule = () => { if (picture) frame ||= requestAnimationFrame(draw); };

  function upload() {
    const packed = array(model, "poses", Int16Array), step = model.get("step");
    const length = shown ? packed.length / shown : 0;
    const coarse = new Float32Array(length);
    for (let k = 0; k < shown; k++) {
      for (let i = 0; i < length; i++) coarse[i] = packed[k * length + i] * (i % 4 === 3 ? 1 / 32767 : step);
      picture.pose(picture.layer(k), coarse);
    }
    stale = false;
    root.dataset.posesVersion = model.get("version");
  }

  function draw() {
    frame = 0;
    if (picture.gl.isContextLost()) return;
    if (stale) upload();
    const fine = picture.sharpen(Math.max(canvas.clientWidth, 1), Math.max(canvas.clientHeight, 1), schedule);
    picture.clear();
    const sides = standing(view, stage, true);
    const boxes = [...room.querySelectorAll(".hp-grid-hands")];
    const [w, h] = [Math.max(boxes[0]?.clientWidth ?? 0, 1), Math.max((boxes[0]?.clientHeight ?? 0) - BELOW, 1)];
    const camera = cameraOf(stage, view, w, h);
    boxes.forEach((box, k) => {
      const card = box.parentElement;
      const left = box.offsetLeft + card.offsetLeft + card.clientLeft, top = box.offsetTop + card.offsetTop + card.clientTop;
      picture.aim([left * fine, canvas.height - (top + h) * fine, w * fine, h * fine].map(Math.round), camera);
      picture.drawHand(picture.layer(k), sides);
    });
    sidePlaces(stage, sides, camera, w, h).forEach(([x, y], k) => {
      root.style.setProperty(`--${"lr"[k]}`, `translate(${x}px, ${Math.min(y + 3, h + BELOW - 11)}px) translateX(-50%)`);
    });
    root.dataset.frameCount = ++frames;
    root.dataset.atRest = picture.sharp;
  }

  function lay() {
    const focused = room.contains(document.activeElement) ? Number(document.activeElement.dataset.index) : -1;
    const cards = model.get("cards").map((words, k) => cardOf(words, k, action));
    shown = cards.length;
    room.replaceChildren(...cards);
    root.classList.toggle("hp-grid-empty", !shown);
    root.classList.toggle("hp-grid-untitled", !model.get("cards").some((words) => words.title));
    if (shown) cards[Math.min(Math.max(focused, 0), shown - 1)].tabIndex = 0; // one stop for Tab; arrows go on from there
    if (focused >= 0) room.querySelector("[tabindex]")?.focus({ preventScroll: true });
    stale = true;
    schedule();
    if (!picture) root.dataset.posesVersion = model.get("version");
  }

  function nudge(yaw, pitch) {
    view.yaw += yaw;
    view.pitch = Math.min(Math.max(view.pitch + pitch, -1.5), 1.5);
    schedule();
  }

  function goTo(card) {
    if (!card) return;
    for (const other of room.children) other.removeAttribute("tabindex");
    card.tabIndex = 0;
    card.focus();
  }

  function choose(card) {
    if (card && action) model.send({ clicked: Number(card.dataset.index), version: model.get("version") });
  }

  // What arrives from Python. One message holds cards and poses; both are there when the first of them is told.
  const changed = { "change:version": lay, "change:caption": words };
  for (const name in changed) model.on(name, changed[name]);
  function words() { caption.textContent = model.get("caption"); }

  // What the person does.
  let held = null, dragged = false;
  on(room, "pointerdown", (event) => { held = [event.clientX, event.clientY]; dragged = false; });
  on(room, "pointermove", (event) => {
    if (!held || !event.buttons) return;
    const [x, y] = [event.clientX - held[0], event.clientY - held[1]];
    if (!dragged && Math.hypot(x, y) < 4) return; // a click is never quite still
    if (!dragged) room.setPointerCapture(event.pointerId);
    dragged = true;
    nudge(x * 0.015, y * 0.015);
    held = [event.clientX, event.clientY];
  });
  on(room, "pointerup", () => { held = null; });
  on(room, "pointercancel", () => { held = null; });
  on(room, "click", (event) => { if (!dragged) choose(event.target.closest(".hp-grid-card")); });
  const turnTo = (name) => { Object.assign(view, presets[name]); schedule(); };
  on(room, "keydown", (event) => {
    const card = event.target.closest(".hp-grid-card");
    if (!card || event.ctrlKey || event.metaKey || event.altKey) return;
    const columns = getComputedStyle(room).gridTemplateColumns.split(" ").length;
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    const views = { p: "palm", b: "back", t: "thumb", 0: model.get("view") };
    if (event.key in steps) goTo(room.children[Number(card.dataset.index) + steps[event.key]]);
    else if (event.key === "Enter" || event.key === " ") choose(card);
    else if (event.key.toLowerCase() in views) turnTo(views[event.key.toLowerCase()]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // What the machine does.
  on(canvas, "webglcontextlost", (event) => event.preventDefault());
  on(canvas, "webglcontextrestored", () => { picture.build(); stale = true; schedule(); });
  picture?.watch(schedule);

  if (picture) hint.textContent = "drag to turn all · P palms · B backs · T thumb side";
  words();
  lay();
  return () => {
    for (const name in changed) model.off(name, changed[name]);
    ending.abort();
    cancelAnimationFrame(frame);
    picture?.free();
    root.remove();
  };
}

export default { render };
