// The hand model without Python: pose to vertices (rig.py), and how much sky each vertex sees (occlusion.py).

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
