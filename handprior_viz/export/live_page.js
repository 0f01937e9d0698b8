// The page without Python. The picture and the sliders are the notebook's own, hand_view.js and slider_rack.js; this
// file plays the part that Python has there, with page_decoder.js, page_energy.js and page_hands.js.

/** What anywidget hands to a widget: state by name, and who listens to its changes. */
class PageModel {
  constructor(state, hear = () => {}) {
    this.state = state;
    this.hear = hear;
    this.listeners = {};
  }

  get(name) { return this.state[name]; }

  set(name, value) {
    this.state[name] = value;
    this.tell(`change:${name}`);
  }

  on(name, act) { (this.listeners[name] ??= new Set()).add(act); }

  off(name, act) { this.listeners[name]?.delete(act); }

  tell(name, ...about) { this.listeners[name]?.forEach((act) => act(...about)); }

  /** Heard a moment later, as Python would: a widget is not done with sending yet. */
  send(message) { queueMicrotask(() => this.hear(message, this)); }

  save_changes() {}
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

async function start(page, handView, sliderRack) {
  const find = (name) => document.querySelector(`[data-part="${name}"]`);
  const arrays = await unpack(page.arrays, document.getElementById("arrays").textContent);
  const steps = linked(page.steps, arrays), latent = Float64Array.from(page.latent);
  const coarse = new Float32Array((4 * arrays.vertices.length) / 3), points = new Float32Array(3 * 42);
  let all = page.axes.length <= page.leading, playing = 0, began = 0;

  const judge = page.gauge ? gaugeOf(find("gauge"), page.gauge, arrays) : () => {};
  const decoded = (from) => handsOf(page, decode(steps, from));
  function vertices(pose, out = new Float32Array(coarse.length), joints = new Float32Array(points.length)) {
    skin(arrays, page.parents, pose, out, joints);
    return out;
  }

  const rows = () => (all ? page.axes : page.axes.slice(0, page.leading));
  const values = () => rows().map((axis) => latent[axis.index] * axis.unit);
  const view = new PageModel({ ...page.view, ...Object.fromEntries(page.view_arrays.map((name) => [name, arrays[`view.${name}`]])) });
  const rack = new PageModel({ ...page.rack, rows: rows().map((axis) => axis.row), values: values() }, (message, model) => {
    if (!message.moves) return;
    stop();
    for (const [row, value] of message.moves) latent[rows()[row].index] = value / rows()[row].unit;
    show();
    model.set("values", values());
    model.tell("msg:custom", { answered: true });
  });

  function show() {
    const shown = decode(steps, latent);
    vertices(handsOf(page, shown), coarse, points);
    openSky(arrays, page.patches, coarse);
    view.state.version += 1;
    view.state.joints = new Uint8Array(points.buffer.slice(0));
    view.set("positions", new Uint8Array(coarse.buffer.slice(0)));
    judge(shown, latent);
  }
  function place(numbers) {
    latent.set(numbers);
    show();
    rack.set("values", values());
  }
  function stop() {
    cancelAnimationFrame(playing);
    playing = 0;
    if (find("play")) find("play").textContent = "Play";
  }
  function play(now) {
    playing = requestAnimationFrame(play);
    const phase = (((now - began) / 1000) * page.fps) % page.frames;
    place([Math.floor(phase)]);
  }
  function said(words) {
    find("said").textContent = words;
    setTimeout(() => { find("said").textContent = ""; }, 4000);
  }
  function parameters() {
    const numbers = (some) => Array.from(some, (value) => Number(value.toPrecision(7)));
    const pose = decoded(latent);
    return JSON.stringify({
      prior: page.prior, latent: page.prior ? numbers(latent) : undefined, flat_hand_mean: true,
      left_hand_pose: numbers(pose.subarray(0, 45)), right_hand_pose: numbers(pose.subarray(45)),
    });
  }
  const acts = {
    reset: () => { stop(); place(page.latent.map(() => 0)); },
    random: () => { stop(); place(page.latent.map(normal)); },
    all: () => {
      all = !all;
      find("all").setAttribute("aria-pressed", all);
      find("all").textContent = all ? `Leading ${page.leading} axes` : `All ${page.axes.length} axes`;
      rack.state.values = values();
      rack.set("rows", rows().map((axis) => axis.row));
    },
    play: () => {
      if (playing) { stop(); return; }
      find("play").textContent = "Pause";
      began = performance.now() - (1000 * latent[0]) / page.fps;
      playing = requestAnimationFrame(play);
    },
    copy: async () => {
      const copied = await copyText(parameters());
      said(copied ? "Copied: latent and pose, as JSON" : "This browser does not let the page copy");
    },
  };
  for (const [name, act] of Object.entries(acts)) find(name)?.addEventListener("click", act);
  show();
  handView.render({ model: view, el: find("hands") });
  sliderRack.render({ model: rack, el: find("sliders") });
  window.handprior = { decode: (from) => Array.from(decoded(from)), vertices: (pose) => Array.from(vertices(pose)),
                       latent: () => Array.from(latent), energy: () => Number(find("gauge").dataset.energy), place, coarse, points, parameters };
  document.documentElement.dataset.ready = "true";
}
