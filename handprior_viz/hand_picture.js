// The picture of the live hand: smoothing, light and WebGL 2. hand_view.py puts this before hand_view.js, in one module.
//
// Takes coarse vertices, four numbers each (x, y, z, open sky), and draws them as the stills are drawn: lighting.py and
// stage.py say the same in Python.

const FLOATS = 7; // per fine vertex: position, normal, open sky

// Lit per vertex with the formula of lighting.shade: the mesh is fine enough that nobody sees the difference, and where
// the browser draws without a graphics card it takes half the time.
const VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in float openSky;
layout(location = 3) in float nail;
uniform mat3 turn;
uniform vec3 axis, place, eye;
uniform vec4 lens;  // focal length over width and over height, near, far
uniform vec3 skin, nailColour, skyLight, groundLight, wrap;
uniform vec3 lightFrom[3], lightStrength[3];
uniform vec4 gloss;  // skin: strength, power; nail: strength, power
uniform vec2 edge;
uniform vec4 ghost;  // colour and opacity; opacity 0 draws the hand itself
out vec4 lit;
void main() {
  vec3 p = turn * (position - axis) + place - eye;
  // A ghost counts as 4 mm further away: where it coincides with the hand, the hand is seen and nothing flickers.
  float z = p.z - (ghost.a > 0.0 ? 0.004 : 0.0);
  float depth = -(lens.w + lens.z) / (lens.w - lens.z) * z - 2.0 * lens.w * lens.z / (lens.w - lens.z);
  gl_Position = vec4(lens.xy * p.xy, depth, -p.z);
  vec3 n = turn * normal;
  float rim = 1.0 - max(n.z, 0.0);
  if (ghost.a > 0.0) {
    float a = ghost.a * (0.7 + 1.3 * rim * rim);
    lit = vec4(ghost.rgb * a, a);
    return;
  }
  float up = 0.5 + 0.5 * n.y;
  vec3 received = mix(groundLight, skyLight, up) * openSky;
  for (int i = 0; i < 3; i++) {
    vec3 wrapped = max((dot(n, lightFrom[i]) + wrap) / (1.0 + wrap), 0.0);
    received += wrapped * lightStrength[i] * (0.4 + 0.6 * openSky);
  }
  float facing = max(dot(n, normalize(lightFrom[0] + vec3(0, 0, 1))), 0.0);
  float shine = mix(gloss.x * pow(facing, gloss.y), gloss.z * pow(facing, gloss.w), nail);
  vec3 bright = mix(skin, nailColour, nail) * received + (shine + edge.x * pow(rim, edge.y) * up * skyLight) * openSky;
  lit = vec4(pow(clamp(bright, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 lit;
out vec4 colour;
void main() { colour = lit; }`;

/** A Bytes trait as a typed array; a copy where the buffer does not begin on a multiple of four. */
function array(model, name, Type) {
  const view = model.get(name);
  if (!view || view.byteLength === 0) return new Type(0);
  const aligned = view.byteOffset % 4 === 0;
  const buffer = aligned ? view.buffer : view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
  return new Type(buffer, aligned ? view.byteOffset : 0, view.byteLength / Type.BYTES_PER_ELEMENT);
}

/** Smooth coarse vertices and give them normals: what SmoothMesh.pose does. Writes FLOATS numbers a vertex to `out`. */
function smooth(mesh, coarse, out) {
  const { indptr, indices, weights, faces } = mesh;
  const count = indptr.length - 1;
  for (let row = 0; row < count; row++) {
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
  for (let o = 3; o < out.length; o += FLOATS) {
    const s = 1 / (Math.hypot(out[o], out[o + 1], out[o + 2]) || 1);
    out[o] *= s; out[o + 1] *= s; out[o + 2] *= s;
  }
}

function compile(gl) {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error("HandView: shader: " + gl.getProgramInfoLog(program));
  }
  return program;
}

/** Whether this browser has no graphics card to draw with, which makes every pixel dear. */
let byProcessor;
function drawnByProcessor() {
  if (byProcessor === undefined) {
    const gl = document.createElement("canvas").getContext("webgl2");
    const names = gl?.getExtension("WEBGL_debug_renderer_info");
    byProcessor = !!names && /swiftshader|llvmpipe|software|basic render/i.test(gl.getParameter(names.UNMASKED_RENDERER_WEBGL));
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }
  return byProcessor;
}

/** Everything that lives on the graphics card; made anew when a lost context comes back. */
class Picture {
  constructor(canvas, mesh, look) {
    this.slow = drawnByProcessor();
    this.gl = canvas.getContext("webgl2", { antialias: !this.slow, alpha: true });
    if (!this.gl) throw new Error("this browser offers no WebGL 2");
    this.canvas = canvas;
    this.mesh = mesh;
    this.look = look;
    this.vertices = new Float32Array(FLOATS * (mesh.indptr.length - 1));
    this.build();
  }

  build() {
    const gl = this.gl;
    this.program = compile(gl);
    const uniforms = gl.getProgramParameter(this.program, gl.ACTIVE_UNIFORMS) || 0;
    this.at = {};
    for (let i = 0; i < uniforms; i++) {
      const name = gl.getActiveUniform(this.program, i).name.replace("[0]", "");
      this.at[name] = gl.getUniformLocation(this.program, name);
    }
    this.nails = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, this.nails);
    gl.bufferData(gl.ARRAY_BUFFER, this.mesh.nails, gl.STATIC_DRAW);
    this.faces = gl.createBuffer();
    this.hand = this.layer();
    this.ghost = this.layer();
    gl.bindVertexArray(this.hand.array);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.faces);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, this.mesh.faces, gl.STATIC_DRAW);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
    this.light();
  }

  layer() {
    const gl = this.gl;
    const layer = { array: gl.createVertexArray(), buffer: gl.createBuffer(), shown: false };
    gl.bindVertexArray(layer.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, layer.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, this.vertices.byteLength, gl.DYNAMIC_DRAW);
    for (const [place, size, offset] of [[0, 3, 0], [1, 3, 12], [2, 1, 24]]) {
      gl.enableVertexAttribArray(place);
      gl.vertexAttribPointer(place, size, gl.FLOAT, false, 4 * FLOATS, offset);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.nails);
    gl.enableVertexAttribArray(3);
    gl.vertexAttribPointer(3, 1, gl.FLOAT, false, 4, 0);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.faces);
    return layer;
  }

  light() {
    const { gl, at, look } = this;
    gl.useProgram(this.program);
    gl.uniform3fv(at.skin, look.skin.map((channel) => channel ** 2.2));
    gl.uniform3fv(at.nailColour, look.nail.map((channel) => channel ** 2.2));
    gl.uniform3fv(at.skyLight, look.sky);
    gl.uniform3fv(at.groundLight, look.ground);
    gl.uniform3fv(at.wrap, look.wrap);
    gl.uniform3fv(at.lightFrom, look.lights.flatMap((light) => light.direction));
    gl.uniform3fv(at.lightStrength, look.lights.flatMap((light) => light.strength));
    gl.uniform4f(at.gloss, look.gloss, look.gloss_power, look.nail_gloss, look.nail_gloss_power);
    gl.uniform2f(at.edge, look.edge, look.edge_power);
  }

  /** Take new coarse vertices for a layer; none hide it. */
  pose(layer, coarse) {
    layer.shown = coarse.length > 0;
    if (!layer.shown) return;
    smooth(this.mesh, coarse, this.vertices);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, layer.buffer);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, this.vertices);
  }

  draw(sides, eye, lens, ghostColour) {
    const { gl, at } = this;
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.uniform3fv(at.eye, eye);
    gl.uniform4fv(at.lens, lens);
    gl.uniform4f(at.ghost, 0, 0, 0, 0);
    if (this.hand.shown) this.drawLayer(this.hand, sides);
    if (!this.ghost.shown) return;
    gl.uniform4fv(at.ghost, ghostColour);
    gl.colorMask(false, false, false, false); // depth first, so that only its nearest surface shows
    this.drawLayer(this.ghost, sides);
    gl.colorMask(true, true, true, true);
    gl.enable(gl.BLEND);
    this.drawLayer(this.ghost, sides);
    gl.disable(gl.BLEND);
  }

  drawLayer(layer, sides) {
    const { gl, at } = this;
    gl.bindVertexArray(layer.array);
    for (const side of sides) {
      gl.uniformMatrix3fv(at.turn, false, side.turn);
      gl.uniform3fv(at.axis, side.axis);
      gl.uniform3fv(at.place, side.place);
      gl.drawElements(gl.TRIANGLES, side.count, gl.UNSIGNED_INT, 4 * side.first);
    }
  }

  free() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}

/** How each hand stands: every hand turns about its own axis, as in stage.py. Matrices are column by column. */
function standing(view, stage, leftCount, allCount) {
  return [-1, 1].map((sign) => {
    const angle = view.yaw + sign * view.mirror;
    const [c, s, cp, sp] = [Math.cos(angle), Math.sin(angle), Math.cos(view.pitch), Math.sin(view.pitch)];
    const gap = stage.palm_gap + ((1 - c) / 2) * (stage.back_gap - stage.palm_gap);
    return {
      turn: [c, sp * s, -cp * s, 0, cp, sp, s, -sp * c, cp * c],
      axis: [sign * stage.palm_gap, stage.middle, 0],
      place: [sign * gap, stage.middle, 0],
      first: sign < 0 ? 0 : leftCount,
      count: sign < 0 ? leftCount : allCount - leftCount,
    };
  });
}

function colourOf(hex, opacity) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).concat(opacity);
}
