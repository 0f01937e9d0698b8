// The picture of live hands: light and WebGL 2. Stands behind hand_mesh.js, which smooths what it draws.
//
// Takes coarse vertices, four numbers each (x, y, z, open sky), and draws them as the stills are drawn: lighting.py says
// the same in Python.

// Lit per vertex with the formula of lighting.shade: the mesh is fine enough that nobody sees the difference, and where
// the browser draws without a graphics card it takes half the time.
const VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
layout(location = 1) in vec3 normal;
layout(location = 2) in float openSky;
layout(location = 3) in float nail;
layout(location = 4) in vec4 paint;  // a colour in place of the skin's, and how much of it
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
  vec3 surface = mix(mix(skin, nailColour, nail), pow(paint.rgb, vec3(2.2)), paint.a);
  vec3 bright = surface * received + (shine + edge.x * pow(rim, edge.y) * up * skyLight) * openSky;
  lit = vec4(pow(clamp(bright, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
}`;

const FRAGMENT = `#version 300 es
precision mediump float;
in vec4 lit;
out vec4 colour;
void main() { colour = lit; }`;

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
    this.look = look;
    this.settling = 0;
    this.settled = false;
    this.sharp = false; // whether what is drawn now is as good as it gets
    this.take(mesh);
  }

  /** Draw another mesh from now on; every layer has to be posed anew. */
  take(mesh) {
    if (this.mesh) this.clean();
    this.mesh = mesh;
    this.vertices = new Float32Array(FLOATS * (mesh.indptr.length - 1));
    this.build();
  }

  /** Free what a mesh that is no longer drawn holds on the graphics card. */
  clean() {
    const gl = this.gl;
    gl.bindVertexArray(null);
    for (const { array, buffer, paint } of this.layers) {
      gl.deleteVertexArray(array);
      for (const old of [buffer, paint]) gl.deleteBuffer(old ?? null);
    }
    for (const { buffer } of Object.values(this.mesh.levels)) gl.deleteBuffer(buffer);
    gl.deleteBuffer(this.nails);
    gl.deleteProgram(this.program);
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
    for (const level of Object.values(this.mesh.levels)) {
      level.buffer = gl.createBuffer();
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, level.buffer);
      gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, level.faces, gl.STATIC_DRAW);
    }
    this.layers = [];
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.CULL_FACE);
    gl.depthFunc(gl.LEQUAL);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.clearColor(0, 0, 0, 0);
    this.light();
  }

  /** The buffers of one pair of hands, made when they are first asked for. */
  layer(k) {
    while (this.layers.length <= k) this.layers.push(this.newLayer());
    return this.layers[k];
  }

  newLayer() {
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
    gl.vertexAttrib4f(4, 0, 0, 0, 0);
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

  /** Take new coarse vertices for a layer; none hide it. Without a graphics card, rough while things move. */
  pose(layer, coarse) {
    layer.shown = coarse.length > 0;
    if (!layer.shown) return;
    const { fine, rough } = this.mesh.levels;
    layer.level = this.moving && rough ? rough : fine;
    smooth(this.mesh, layer.level, coarse, this.vertices);
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, layer.buffer);
    this.gl.bufferSubData(this.gl.ARRAY_BUFFER, 0, this.vertices.subarray(0, FLOATS * layer.level.rows));
  }

  /** Whether to spare the processor, which draws, until nothing has changed for a while. */
  get moving() {
    return this.slow && !this.settled;
  }

  /** Whether the same things will be drawn again soon, as well as can be. */
  get sharpening() {
    return this.settling > 0 && !this.sharp;
  }

  /** Colour a layer by shares of a ramp, one for every coarse vertex and NaN for skin; none give the skin back. */
  paint(layer, shares, ramp) {
    const gl = this.gl;
    gl.bindVertexArray(layer.array);
    if (!shares.length) {
      gl.disableVertexAttribArray(4);
      return;
    }
    layer.paint ??= gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, layer.paint);
    gl.bufferData(gl.ARRAY_BUFFER, painted(this.mesh, shares, ramp), gl.DYNAMIC_DRAW);
    gl.enableVertexAttribArray(4);
    gl.vertexAttribPointer(4, 4, gl.UNSIGNED_BYTE, true, 4, 0);
  }

  /** Fit the drawing to the screen's pixels; without a graphics card only once things have come to rest. */
  sharpen(width, height, again) {
    const fine = this.slow ? (this.settled ? 2 : 1) : Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * fine), Math.round(height * fine)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.sharp = !this.slow || this.settled;
    clearTimeout(this.settling);
    if (!this.sharp) this.settling = setTimeout(() => { this.settled = true; again(); }, 900);
    this.settled = false;
    return fine;
  }

  clear() {
    const { gl } = this;
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  /** Draw into a rectangle of the canvas, given in its own pixels from the lower left corner. */
  aim(box, camera) {
    this.gl.viewport(...box);
    this.gl.uniform3fv(this.at.eye, camera.eye);
    this.gl.uniform4fv(this.at.lens, camera.lens);
  }

  drawHand(layer, sides) {
    this.gl.uniform4f(this.at.ghost, 0, 0, 0, 0);
    if (layer.shown) this.drawLayer(layer, sides);
  }

  drawGhost(layer, sides, colour) {
    const { gl } = this;
    if (!layer.shown) return;
    gl.uniform4fv(this.at.ghost, colour);
    gl.colorMask(false, false, false, false); // depth first, so that only its nearest surface shows
    this.drawLayer(layer, sides);
    gl.colorMask(true, true, true, true);
    gl.enable(gl.BLEND);
    this.drawLayer(layer, sides);
    gl.disable(gl.BLEND);
  }

  drawLayer(layer, sides) {
    const { gl, at } = this;
    const { buffer, left, faces } = layer.level;
    gl.bindVertexArray(layer.array);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, buffer);
    for (const side of sides) {
      gl.uniformMatrix3fv(at.turn, false, side.turn);
      gl.uniform3fv(at.axis, side.axis);
      gl.uniform3fv(at.place, side.place);
      const [first, end] = side.left ? [0, left] : [left, faces.length];
      gl.drawElements(gl.TRIANGLES, end - first, gl.UNSIGNED_INT, 4 * first);
    }
  }

  /** Draw what stands once more, no less sharp, when its canvas has another size or is seen again: WebKit forgets the
   * drawing of a canvas that the notebook leaves out while it is scrolled away (content-visibility). */
  watch(draw) {
    let away = false;
    const resized = new ResizeObserver(draw);
    const seen = new IntersectionObserver((entries) => {
      const here = entries.at(-1).isIntersecting;
      if (away && here) {
        this.settled = this.sharp;
        draw();
      }
      away = !here;
    });
    this.watching = [resized, seen];
    for (const observer of this.watching) observer.observe(this.canvas);
  }

  free() {
    for (const observer of this.watching ?? []) observer.disconnect();
    clearTimeout(this.settling);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
