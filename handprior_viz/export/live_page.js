// The page without Python: latent to pose (decoders.py), pose to vertices (rig.py), and how much sky each vertex sees
// (occlusion.py). The picture and the sliders are the notebook's own, hand_view.js and slider_rack.js; this file plays
// the part that Python has there.

const TYPES = { f4: Float32Array, u4: Uint32Array, u2: Uint16Array, u1: Uint8Array };

/** A number of 16 bits, for browsers without Float16Array. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, share = bits & 1023;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + share / 1024) : 2 ** -24 * share);
}

/** The page's arrays by name: base64 of gzip of all of them, one after the other. */
async function unpack(index, text) {
  const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const arrays = {};
  for (const [name, type, start, count] of index) {
    arrays[name] = type === "f2"
      ? Float32Array.from(new Uint16Array(buffer, start, count), half)
      : new TYPES[type](buffer, start, count);
  }
  return arrays;
}

/** Abramowitz & Stegun 1964, 7.1.26: within 1.5e-7. */
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

/** Rotation vector of the matrix whose first two columns these nearly are (Zhou et al. 2019, section 4.2). */
function vectorOfColumns(a, b) {
  const unit = (v) => { const s = 1 / (Math.hypot(...v) || 1e-6); return v.map((part) => part * s); };
  const x = unit(a), along = x[0] * b[0] + x[1] * b[1] + x[2] * b[2];
  const y = unit(b.map((part, k) => part - along * x[k]));
  const z = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]];
  // By the quaternion (Shepperd 1978): its largest entry first, so that nothing is divided by nearly zero.
  const trace = x[0] + y[1] + z[2];
  const squares = [trace, x[0], y[1], z[2]].map((part, k) => (k ? 1 + 2 * part - trace : 1 + trace));
  const most = squares.indexOf(Math.max(...squares));
  const q = [
    [squares[0], y[2] - z[1], z[0] - x[2], x[1] - y[0]],
    [y[2] - z[1], squares[1], x[1] + y[0], x[2] + z[0]],
    [z[0] - x[2], x[1] + y[0], squares[2], y[2] + z[1]],
    [x[1] - y[0], x[2] + z[0], y[2] + z[1], squares[3]],
  ][most];
  const size = Math.hypot(...q), sign = q[0] < 0 ? -1 : 1;
  const [w, ...axis] = q.map((part) => (sign * part) / size);
  const sine = Math.hypot(...axis);
  const scale = sine < 1e-9 ? 2 : (2 * Math.atan2(sine, w)) / sine;
  return axis.map((part) => part * scale);
}

const STEPS = {
  affine(x, { weight, bias }) {
    const out = Float64Array.from(bias), width = x.length;
    for (let row = 0; row < out.length; row++) {
      let sum = 0;
      for (let k = 0, at = row * width; k < width; k++) sum += weight[at + k] * x[k];
      out[row] += sum;
    }
    return out;
  },
  silu: (x) => x.map((value) => value / (1 + Math.exp(-value))),
  gelu: (x) => x.map((value) => 0.5 * value * (1 + erf(value * Math.SQRT1_2))),
  layer_norm(x, { weight, bias }, { eps }) {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    return x.map((value, k) => ((value - mean) / Math.sqrt(variance + eps)) * weight[k] + bias[k]);
  },
  /** Six numbers a joint, all joints' first numbers first, to rotation vectors joint by joint; the rest stays. */
  rotations(x, _, { joints }) {
    const out = new Float64Array(x.length - 3 * joints);
    for (let joint = 0; joint < joints; joint++) {
      const of = (k) => x[k * joints + joint];
      out.set(vectorOfColumns([of(0), of(1), of(2)], [of(3), of(4), of(5)]), 3 * joint);
    }
    out.set(x.subarray(6 * joints), 3 * joints);
    return out;
  },
  /** Frames of a motion: a number of one, to its pose. */
  frames(x, { poses }, { count }) {
    const frame = Math.min(Math.max(Math.round(x[0]), 0), count - 1);
    return Float64Array.from(poses.subarray((frame * poses.length) / count, ((frame + 1) * poses.length) / count));
  },
};

/** Both hands (90 numbers, axis-angle in radians, no turn beyond pi) at a latent. */
function decode(steps, arrays, latent) {
  let x = Float64Array.from(latent);
  steps.forEach(({ kind, numbers }, k) => {
    x = STEPS[kind](x, { weight: arrays[`${k}.weight`], bias: arrays[`${k}.bias`], poses: arrays[`${k}.poses`] }, numbers);
  });
  for (let k = 0; k < x.length; k += 3) {
    const angle = Math.hypot(x[k], x[k + 1], x[k + 2]);
    if (angle <= Math.PI + 1e-4) continue;
    const share = 1 - (2 * Math.PI * Math.round(angle / (2 * Math.PI))) / angle;
    for (let axis = 0; axis < 3; axis++) x[k + axis] *= share;
  }
  return x;
}

/** Rotation matrix of a rotation vector (Rodrigues), row by row. */
function matrixOf(x, y, z) {
  const square = x * x + y * y + z * z, angle = Math.sqrt(square);
  const a = angle < 1e-4 ? 1 - square / 6 : Math.sin(angle) / angle;
  const b = angle < 1e-4 ? 0.5 - square / 24 : (1 - Math.cos(angle)) / square;
  return [
    1 - b * (y * y + z * z), b * x * y - a * z, b * x * z + a * y,
    b * x * y + a * z, 1 - b * (x * x + z * z), b * y * z - a * x,
    b * x * z - a * y, b * y * z + a * x, 1 - b * (x * x + y * y),
  ];
}

/** Parent's map (3 x 4, row by row) after a turn about a joint. */
function turned(parent, turn, x, y, z) {
  const map = new Float64Array(12);
  for (let row = 0; row < 3; row++) {
    const p = parent.subarray(4 * row, 4 * row + 4), m = map.subarray(4 * row, 4 * row + 4);
    for (let k = 0; k < 3; k++) m[k] = p[0] * turn[k] + p[1] * turn[3 + k] + p[2] * turn[6 + k];
    m[3] = p[3] + (p[0] - m[0]) * x + (p[1] - m[1]) * y + (p[2] - m[2]) * z;
  }
  return map;
}

/** Coarse vertices of a pose, metres, four numbers each, of which the last is left alone; and the points of each hand:
 * wrist, 15 joints, five tips. */
function skin(rig, parents, pose, out, points) {
  const count = rig.vertices.length / 3, most = rig.influences.length / count;
  const rest = Float64Array.from(rig.vertices), turns = [], maps = [];
  for (let joint = 0; joint < 30; joint++) turns.push(matrixOf(pose[3 * joint], pose[3 * joint + 1], pose[3 * joint + 2]));
  for (let block = 0, vertex = 0, at = 0; block < rig.fingers.length; block++) {
    const features = turns.slice(3 * rig.fingers[block], 3 * rig.fingers[block] + 3)
      .flatMap((turn) => turn.map((value, k) => value - (k % 4 === 0 ? 1 : 0)));
    for (const end = vertex + rig.moved_counts[block]; vertex < end; vertex++) {
      for (let axis = 0; axis < 3; axis++) {
        let sum = 0;
        for (let k = 0; k < 27; k++) sum += rig.directions[at++] * features[k];
        rest[3 * rig.moved[vertex] + axis] += sum;
      }
    }
  }
  for (let hand = 0; hand < 2; hand++) {
    for (let k = 0; k < parents.length; k++) {
      const place = rig.joints.subarray(3 * (16 * hand + k), 3 * (16 * hand + k) + 3);
      maps.push(k === 0
        ? Float64Array.from(rig.place.subarray(12 * hand, 12 * hand + 12))
        : turned(maps[16 * hand + parents[k]], turns[15 * hand + k - 1], ...place));
    }
  }
  for (let v = 0; v < count; v++) {
    let x = 0, y = 0, z = 0;
    const [rx, ry, rz] = [rest[3 * v], rest[3 * v + 1], rest[3 * v + 2]];
    for (let k = most * v; k < most * (v + 1); k++) {
      const w = rig.weights[k];
      if (!w) break; // strongest first
      const m = maps[16 * rig.side[v] + rig.influences[k]];
      x += w * (m[0] * rx + m[1] * ry + m[2] * rz + m[3]);
      y += w * (m[4] * rx + m[5] * ry + m[6] * rz + m[7]);
      z += w * (m[8] * rx + m[9] * ry + m[10] * rz + m[11]);
    }
    out[4 * v] = x; out[4 * v + 1] = y; out[4 * v + 2] = z;
  }
  maps.forEach((m, k) => {
    const [x, y, z] = rig.joints.subarray(3 * k, 3 * k + 3), at = 3 * (k + 5 * Math.floor(k / 16));
    for (let row = 0; row < 3; row++) points[at + row] = m[4 * row] * x + m[4 * row + 1] * y + m[4 * row + 2] * z + m[4 * row + 3];
  });
  rig.tips.forEach((v, k) => points.set(out.subarray(4 * v, 4 * v + 3), 3 * (16 + k + 16 * Math.floor(k / 5))));
}

/** How much of its surroundings each vertex sees (Bunnell, GPU Gems 2, 2005): the fourth number of each. */
function openSky(rig, patches, out) {
  const count = rig.vertices.length / 3;
  const normals = new Float64Array(3 * count), discs = new Float64Array(16 * patches); // two hands, eight numbers each
  for (let f = 0; f < rig.coarse_faces.length; f += 3) {
    const corners = rig.coarse_faces.subarray(f, f + 3), [a, b, c] = Array.from(corners, (corner) => 4 * corner);
    const ux = out[b] - out[a], uy = out[b + 1] - out[a + 1], uz = out[b + 2] - out[a + 2];
    const vx = out[c] - out[a], vy = out[c + 1] - out[a + 1], vz = out[c + 2] - out[a + 2];
    const n = [(uy * vz - uz * vy) / 2, (uz * vx - ux * vz) / 2, (ux * vy - uy * vx) / 2];
    const area = Math.hypot(...n);
    const disc = 8 * (patches * rig.side[corners[0]] + rig.patch[f / 3]);
    discs[disc + 6] += area;
    for (let k = 0; k < 3; k++) {
      discs[disc + k] += (area * (out[a + k] + out[b + k] + out[c + k])) / 3;
      discs[disc + 3 + k] += n[k];
      for (const corner of corners) normals[3 * corner + k] += n[k];
    }
  }
  for (let d = 0; d < discs.length; d += 8) {
    const area = (discs[d + 6] = Math.max(discs[d + 6], 1e-20));
    for (let k = 0; k < 3; k++) discs[d + k] /= area;
  }
  for (let v = 0; v < count; v++) {
    const [x, y, z] = [out[4 * v], out[4 * v + 1], out[4 * v + 2]], [nx, ny, nz] = normals.subarray(3 * v, 3 * v + 3);
    const size = Math.max(Math.hypot(nx, ny, nz), 1e-20);
    let hidden = 0;
    for (let d = 8 * patches * rig.side[v], end = d + 8 * patches; d < end; d += 8) {
      const dx = discs[d] - x, dy = discs[d + 1] - y, dz = discs[d + 2] - z;
      const above = nx * dx + ny * dy + nz * dz, facing = -(discs[d + 3] * dx + discs[d + 4] * dy + discs[d + 5] * dz);
      if (above <= 0 || facing <= 0) continue;
      const square = Math.max(dx * dx + dy * dy + dz * dz, 1e-12);
      hidden += (above / size) * facing / (square * (Math.PI * square + discs[d + 6]));
    }
    out[4 * v + 3] = Math.exp(-hidden);
  }
}

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
  const latent = Float64Array.from(page.latent);
  const coarse = new Float32Array((4 * arrays.vertices.length) / 3), points = new Float32Array(3 * 42);
  let all = page.axes.length <= page.leading, playing = 0, began = 0;

  const decoded = (from) => decode(page.steps, arrays, from);
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
    vertices(decoded(latent), coarse, points);
    openSky(arrays, page.patches, coarse);
    view.state.version += 1;
    view.state.joints = new Uint8Array(points.buffer.slice(0));
    view.set("positions", new Uint8Array(coarse.buffer.slice(0)));
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
                       latent: () => Array.from(latent), place, coarse, points, parameters };
  document.documentElement.dataset.ready = "true";
}
