// A prior without Python: latent to pose (decoders.py).

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

/** Columns of the rotation matrix whose first two these nearly are (Zhou et al. 2019, section 4.2). */
function matrixOfColumns(a, b) {
  const unit = (v) => { const s = 1 / (Math.hypot(...v) || 1e-6); return v.map((part) => part * s); };
  const x = unit(a), along = x[0] * b[0] + x[1] * b[1] + x[2] * b[2];
  const y = unit(b.map((part, k) => part - along * x[k]));
  return [x, y, [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]];
}

/** Rotation vector of that matrix. */
function vectorOfColumns(a, b) {
  const [x, y, z] = matrixOfColumns(a, b);
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

/** Steps with their arrays in the place of those arrays' names. */
function linked(steps, arrays) {
  return steps.map(({ kind, numbers, named, inner }) => ({
    kind, numbers, inner: linked(inner, arrays),
    ...Object.fromEntries(Object.entries(named).map(([name, key]) => [name, arrays[key]])),
  }));
}

/** Add the product of a matrix, row by row, and a Float64Array: of no other kind of array, which is ten times as slow. */
function add(out, weight, x) {
  const width = x.length;
  for (let row = 0, at = 0; row < out.length; row++) {
    let sum = 0;
    for (let k = 0; k < width; k++) sum += weight[at++] * x[k];
    out[row] += sum;
  }
  return out;
}

const part = (array, number, size) => array.subarray(number * size, (number + 1) * size);

const silu = (value) => value / (1 + Math.exp(-value));

// Monotone rational-quadratic splines (rational_spline.py): the same bound, smallest bin and bend of the numbers.
const BOUND = 5, NARROWEST = 2 * BOUND * 1e-3, BENT = 7, NEAR = 1e-5;

/** Undo one spline (Durkan et al. 2019, eq. 6 to 8), whose 3 bins - 1 numbers stand `step` apart from `from` on.
 * Returns the number, and the logarithm of the spline's slope there (eq. 5). */
function unspline(y, knots, from, step, bins) {
  if (Math.abs(y) >= BOUND) return [y, 0];
  const grown = (k) => { const raw = knots[from + k * step]; return Math.exp(raw / (1 + Math.abs(raw) / BENT)); };
  const span = 2 * BOUND - NARROWEST * bins, at = Math.min(Math.max(y, NEAR - BOUND), BOUND - NEAR);
  let wide = 0, high = 0;
  for (let k = 0; k < bins; k++) { wide += grown(k); high += grown(bins + k); }
  const width = (k) => (grown(k) / wide) * span + NARROWEST, height = (k) => (grown(bins + k) / high) * span + NARROWEST;
  let bin = 0, x0 = -BOUND, y0 = -BOUND, h = height(0);
  while (bin < bins - 1 && at >= y0 + h) {
    x0 += width(bin);
    y0 += h;
    h = height(++bin);
  }
  const w = width(bin), slope = h / w, above = at - y0;
  const left = bin ? grown(2 * bins + bin - 1) : 1, right = bin < bins - 1 ? grown(2 * bins + bin) : 1;
  const bend = left + right - 2 * slope;
  const a = h * (slope - left) + above * bend, b = h * left - above * bend, c = -slope * above;
  const t = (2 * c) / (-b - Math.sqrt(Math.max(b * b - 4 * a * c, 0))), u = 1 - t;
  const steep = right * t * t + 2 * slope * t * u + left * u * u;
  return [x0 + t * w, 2 * Math.log(slope / (slope + bend * t * u)) + Math.log(steep)];
}

/** Undo some columns' shift and stretch, and a spline where there are numbers for one. All numbers of a kind stand
 * together, a column each: shifts, stretches, then those of the splines. `splineFirst`: the spline came before them. */
function unbend(column, columns, y, numbers, splineFirst) {
  const bins = (numbers.length / columns - 1) / 3, shift = numbers[column], stretch = Math.tanh(numbers[columns + column]);
  const plain = (value) => (value - shift) * Math.exp(-stretch);
  if (bins < 1) return [plain(y), stretch];
  const [x, slope] = unspline(splineFirst ? plain(y) : y, numbers, 2 * columns + column, columns, bins);
  return [splineFirst ? x : plain(x), stretch + slope];
}

/** Undo one layer of the joint flow for one joint: each pass sets one more of its columns right. */
function unbendJoint({ inner, outer, bias, numbers: { hidden, numbers } }, joint, z, told, far) {
  const width = told.length + 4, into = part(inner, joint, hidden * width), out = part(outer, joint, 3 * numbers * hidden);
  const seen = new Float64Array(width).fill(1); // what it is told, its own columns, and 1
  seen.set(told);
  let y = [0, 0, 0], slopes = [0, 0, 0];
  for (let pass = 0; pass < 3; pass++) {
    seen.set(y.map((value) => Math.min(Math.max(value, -far), far)), told.length);
    const said = add(Float64Array.from(part(bias, joint, 3 * numbers)), out, add(new Float64Array(hidden), into, seen).map(silu));
    const found = z.map((value, column) => (value === null ? [null, 0] : unbend(column, 3, value, said, true)));
    slopes = found.map(([, slope]) => slope);
    y = found.map(([value]) => value);
  }
  return [y, slopes[0] + slopes[1] + slopes[2]];
}

// Each takes numbers and gives others. Flows also add to `note.slope`: the logarithm of the volume that the way from the
// pose to the latent gives.
const STEPS = {
  affine: (x, { weight, bias }) => add(Float64Array.from(bias), weight, x),
  silu: (x) => x.map(silu),
  gelu: (x) => x.map((value) => 0.5 * value * (1 + erf(value * Math.SQRT1_2))),
  layer_norm(x, { weight, bias, numbers: { eps } }) {
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    return x.map((value, k) => ((value - mean) / Math.sqrt(variance + eps)) * weight[k] + bias[k]);
  },
  /** Six numbers a joint, all joints' first numbers first, to rotation vectors joint by joint; the rest stays. */
  rotations(x, { numbers: { joints } }) {
    const out = new Float64Array(x.length - 3 * joints);
    for (let joint = 0; joint < joints; joint++) {
      const of = (k) => x[k * joints + joint];
      out.set(vectorOfColumns([of(0), of(1), of(2)], [of(3), of(4), of(5)]), 3 * joint);
    }
    out.set(x.subarray(6 * joints), 3 * joints);
    return out;
  },
  /** A spline per column, the same for all poses, backwards. */
  splines: (x, { knots }, note) => x.map((value, column) => {
    const [found, slope] = unspline(value, knots, column, x.length, (knots.length / x.length + 1) / 3);
    note.slope += slope;
    return found;
  }),
  /** A coupling backwards: the columns that were kept say how the others were bent. */
  coupling(x, { inner, numbers: { kept } }, note) {
    const numbers = worked(inner, x.subarray(0, kept), note), moved = x.length - kept;
    return x.map((value, k) => {
      if (k < kept) return value;
      const [found, slope] = unbend(k - kept, moved, value, numbers, false);
      note.slope += slope;
      return found;
    });
  },
  /** The joint flow backwards, joint after joint, each as it is told of those before it. */
  joints(x, flow, note) {
    const { inner, numbers: { before, embed, far } } = flow, out = new Float64Array(x.length);
    for (let joint = 0; joint < flow.slots.length / 3; joint++) {
      const slots = [...part(flow.slots, joint, 3)], near = out.map((value) => Math.min(Math.max(value, -far), far));
      const told = add(Float64Array.from(part(flow.embedding_bias, joint, embed)), part(flow.embedding, joint, embed * x.length), near).map(silu);
      let y = slots.map((slot) => (slot < x.length ? x[slot] : null)); // null: an axis that never moves
      const undo = (layer) => {
        const [found, slope] = unbendJoint(layer, joint, y, told, far);
        y = found;
        note.slope += slope;
      };
      inner.slice(before).reverse().forEach(undo);
      const given = add(Float64Array.from(part(flow.offset, joint, 3)), part(flow.regression, joint, 3 * x.length), out);
      const left = add(new Float64Array(3), part(flow.unscaling, joint, 9), given.map((value, axis) => (y[axis] ?? 0) - value));
      y = y.map((value, axis) => (value === null ? null : left[axis]));
      inner.slice(0, before).reverse().forEach(undo);
      slots.forEach((slot, axis) => { if (y[axis] !== null) out[slot] = y[axis]; });
    }
    return out;
  },
  /** Frames of a motion: a number of one, to its pose. */
  frames(x, { poses, numbers: { count } }) {
    const frame = Math.min(Math.max(Math.round(x[0]), 0), count - 1);
    return Float64Array.from(part(poses, frame, poses.length / count));
  },
};

function worked(steps, x, note) {
  return steps.reduce((numbers, step) => STEPS[step.kind](numbers, step, note), x);
}

/** The pose at a latent in the prior's own columns, radians, no turn beyond pi; and what a flow notes on the way, of
 * which nothing holds for a pose that had to be `turned` back to pi. */
function decode(steps, latent) {
  const note = { slope: 0, turned: false }, pose = worked(steps, Float64Array.from(latent), note);
  for (let k = 0; k < pose.length; k += 3) {
    const angle = Math.hypot(pose[k], pose[k + 1], pose[k + 2]);
    if (angle <= Math.PI + 1e-4) continue;
    const share = 1 - (2 * Math.PI * Math.round(angle / (2 * Math.PI))) / angle;
    for (let axis = 0; axis < 3; axis++) pose[k + axis] *= share;
    note.turned = true;
  }
  return { pose, note };
}

/** Both hands (90 numbers, axis-angle in radians) of a decoded pose. */
function handsOf({ columns, signs }, { pose }) {
  return Float64Array.from(columns, (column, k) => signs[k] * pose[column]);
}
