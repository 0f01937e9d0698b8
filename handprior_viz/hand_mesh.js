// The mesh of live hands: the arrays that a page is sent, smoothing, normals and colours; what SmoothMesh is in Python.
// Stands first of the scripts that hand_picture.py puts before a widget's own, in one module with them.

const FLOATS = 7; // per fine vertex: position, normal, open sky

/** The arrays that a page is sent once. */
function topology(model) {
  const level = (name, left) => {
    const faces = array(model, name, Uint32Array);
    let rows = 0;
    for (const vertex of faces) rows = Math.max(rows, vertex + 1);
    return { faces, left: model.get(left), rows };
  };
  const rough = model.get("rough_left_count") ? { rough: level("rough_faces", "rough_left_count") } : {};
  return {
    indptr: array(model, "indptr", Uint32Array),
    indices: array(model, "indices", Uint32Array),
    weights: array(model, "weights", Float32Array),
    nails: array(model, "nails", Float32Array),
    levels: { fine: level("faces", "left_count"), ...rough }, // the rough one's vertices are the first of the fine one's
  };
}

/** A Bytes trait as a typed array; a copy where the buffer does not begin on a multiple of four. */
function array(model, name, Type) {
  const view = model.get(name);
  if (!view || view.byteLength === 0) return new Type(0);
  const aligned = view.byteOffset % 4 === 0;
  const buffer = aligned ? view.buffer : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return new Type(buffer, aligned ? view.byteOffset : 0, view.byteLength / Type.BYTES_PER_ELEMENT);
}

/** Smooth coarse vertices and give them normals: what SmoothMesh.pose does. Writes FLOATS numbers a vertex to `out`. */
function smooth({ indptr, indices, weights }, { rows, faces }, coarse, out) {
  for (let row = 0; row < rows; row++) {
    let x = 0, y = 0, z = 0, sky = 0;
    for (let k = indptr[row]; k < indptr[row + 1]; k++) {
      const w = weights[k], c = 4 * indices[k];
      x += w * coarse[c]; y += w * coarse[c + 1]; z += w * coarse[c + 2]; sky += w * coarse[c + 3];
    }
    const o = FLOATS * row;
    out[o] = x; out[o + 1] = y; out[o + 2] = z;
    out[o + 3] = out[o + 4] = out[o + 5] = 0;
    out[o + 6] = Math.min(Math.max(sky, 0), 1);
  }
  for (let f = 0; f < faces.length; f += 3) {
    const a = FLOATS * faces[f], b = FLOATS * faces[f + 1], c = FLOATS * faces[f + 2];
    const ux = out[b] - out[a], uy = out[b + 1] - out[a + 1], uz = out[b + 2] - out[a + 2];
    const vx = out[c] - out[a], vy = out[c + 1] - out[a + 1], vz = out[c + 2] - out[a + 2];
    const nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
    out[a + 3] += nx; out[a + 4] += ny; out[a + 5] += nz;
    out[b + 3] += nx; out[b + 4] += ny; out[b + 5] += nz;
    out[c + 3] += nx; out[c + 4] += ny; out[c + 5] += nz;
  }
  for (let o = 3; o < FLOATS * rows; o += FLOATS) {
    const s = 1 / (Math.hypot(out[o], out[o + 1], out[o + 2]) || 1);
    out[o] *= s; out[o + 1] *= s; out[o + 2] *= s;
  }
}

/** Shares of a ramp at coarse vertices as colours of the fine ones, and how much of them: 0 where nothing is known. */
function painted({ indptr, indices, weights }, shares, ramp) {
  const stops = ramp.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const out = new Uint8Array(4 * (indptr.length - 1));
  for (let row = 0; row < indptr.length - 1; row++) {
    let value = 0, known = 0;
    for (let k = indptr[row]; k < indptr[row + 1]; k++) {
      const share = shares[indices[k]];
      if (share === share) { value += weights[k] * share; known += weights[k]; } // NaN is not itself
    }
    if (known <= 0) continue;
    const at = Math.min(Math.max(value / known, 0), 1) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2), more = at - low;
    for (let c = 0; c < 3; c++) out[4 * row + c] = stops[low][c] + more * (stops[low + 1][c] - stops[low][c]) + 0.5;
    out[4 * row + 3] = 255 * Math.min(known, 1);
  }
  return out;
}
