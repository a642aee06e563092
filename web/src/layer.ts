// The one custom WebGL2 layer: ellipses, trails and symbols of all tracks and claims in three draw calls.
// Positions are relative to the site, so that float32 holds to a fraction of a pixel at zoom 17.

import type { CustomLayerInterface, Map as Chart } from "maplibre-gl";
import { LINE_BYTES } from "./lines";
import { Flag, type Marks } from "./marks";
import { APP6_CELLS, COLUMNS, ROWS, atlasImage, scale } from "./symbols";
import { rgbOf, tint } from "./theme";
import type { View } from "./view";

const COMMON = `#version 300 es
precision highp float;
uniform vec2 u_offset;   // anchor from the view's centre, px
uniform float u_world;   // px per Mercator unit
uniform vec2 u_half;     // half the viewport, px
uniform float u_ahead;   // s
vec4 place(vec2 at, vec2 velocity, vec2 px) {
  vec2 p = u_offset + (at + velocity * u_ahead) * u_world + px;
  return vec4(p.x / u_half.x, -p.y / u_half.y, 0.0, 1.0);
}`;

const SYMBOL_VERTEX = `${COMMON}
in vec2 a_corner; in vec4 a_motion; in vec4 a_look; in vec4 a_colour;
uniform float u_size; out vec2 v_at; out vec2 v_turned; flat out vec4 v_look; out vec4 v_colour;
void main() {
  float c = cos(a_look.x), s = sin(a_look.x);
  v_at = a_corner * 1.6;
  v_turned = vec2(c * v_at.x + s * v_at.y, -s * v_at.x + c * v_at.y);
  v_look = a_look; v_colour = a_colour;
  gl_Position = place(a_motion.xy, a_motion.zw, v_at * u_size);
}`;

// Signed distances in units of the symbol's half size; y points down the screen, "up" is the heading.
const SYMBOL_FRAGMENT = `#version 300 es
precision highp float;
in vec2 v_at; in vec2 v_turned; flat in vec4 v_look; in vec4 v_colour;
uniform float u_size; uniform float u_pulse; uniform vec3 u_halo; uniform vec3 u_alarm; uniform vec3 u_chosen; uniform sampler2D u_atlas; out vec4 colour;
float segment(vec2 p, vec2 a, vec2 b) {
  vec2 pa = p - a, ba = b - a;
  return length(pa - ba * clamp(dot(pa, ba) / dot(ba, ba), 0.0, 1.0));
}
float dart(vec2 p) {
  p.x = abs(p.x);
  vec2 n = normalize(vec2(1.6, -0.66));
  float side = dot(p - vec2(0.0, -0.95), vec2(n.x, n.y));
  vec2 m = normalize(vec2(-0.45, 1.0));
  float base = dot(p - vec2(0.0, 0.38), m);
  return max(side, base);
}
float line(float d, float width) { return 1.0 - smoothstep(width - 0.5 / u_size, width + 0.5 / u_size, d); }
void main() {
  int shape = int(v_look.y + 0.5), flags = int(v_look.z + 0.5), state = flags & 7;
  vec2 p = v_turned;
  float w = max(0.14, 0.95 / u_size);
  float body = 9.0; bool filled = shape < 3;
  if (shape == 0 || shape == 1) body = dart(p);
  else if (shape == 2) body = length(p) - 0.42;
  else if (shape == 3) { body = abs(length(p) - 0.55); body = min(body, segment(p, vec2(0.0, -0.55), vec2(0.0, -1.15))); }
  else if (shape == 4) body = abs(abs(p.x) / 0.5 + abs(p.y) / 0.95 - 1.0) * 0.44;
  else { vec2 q = abs(p); body = abs(max(q.x, q.y) - 0.5); body = min(body, segment(p, vec2(0.0, -0.5), vec2(0.0, -1.1))); }
  float ink, halo;
  if (filled) { ink = line(body, 0.0); halo = line(body, 1.6 / u_size);
    if (shape == 1) ink *= 1.0 - line(length(p - vec2(0.0, 0.05)), 0.27); }
  else { ink = line(body, w); halo = line(body, w + 1.4 / u_size); }
  float mark = 9.0;
  if (state == 1) { float a = atan(v_at.y, v_at.x); mark = abs(length(v_at) - 1.0) + step(0.5, fract(a * 1.2732)) * 9.0; }
  if (state == 2) mark = min(segment(v_at, vec2(-0.72), vec2(0.72)), segment(v_at, vec2(-0.72, 0.72), vec2(0.72, -0.72)));
  if (state == 3) { vec2 q = vec2(abs(v_at.x), v_at.y); mark = min(segment(q, vec2(0.0, -1.2), vec2(1.1, 0.75)), segment(q, vec2(0.0, 0.75), vec2(1.1, 0.75))); }
  int cell = int(v_look.w + 0.5) - 1; bool framed = cell >= 0 && cell < ${APP6_CELLS}; // a symbol of APP-6 does not turn
  vec2 q = (cell >= ${APP6_CELLS} ? v_turned : v_at) / 1.3;
  vec2 inside = clamp(q * 0.5 + 0.5, 0.01, 0.99);
  vec4 drawn = texture(u_atlas, (vec2(float(cell % ${COLUMNS}), float(cell / ${COLUMNS})) + inside) / vec2(${COLUMNS}.0, ${ROWS}.0));
  if (cell >= 0) {
    drawn *= step(max(abs(q.x), abs(q.y)), 1.0);
    ink = drawn.r; halo = drawn.a;
    if (framed) { float course = segment(p, vec2(0.0, -1.2), vec2(0.0, -1.5)); ink = line(course, w); halo = line(course, w + 1.4 / u_size); }
  }
  ink = max(ink, line(mark, w)); halo = max(halo, line(mark, w + 1.4 / u_size));
  vec3 rgb = v_colour.rgb; float alpha = v_colour.a;
  vec4 own = vec4(rgb * ink + u_halo * max(0.85 * halo - ink, 0.0), max(ink, 0.85 * halo)) * alpha;
  if (framed) own += drawn * alpha * (1.0 - own.a);
  if ((flags & ${Flag.alarmed}) != 0) {
    float ring = line(abs(length(v_at) - 1.32 - 0.12 * u_pulse), 1.25 / u_size);
    own = mix(own, vec4(u_alarm, 1.0), ring * (0.6 + 0.4 * u_pulse));
  }
  if ((flags & ${Flag.selected}) != 0) {
    vec2 q = abs(v_at);
    float box = abs(max(q.x, q.y) - 1.4) + step(min(q.x, q.y), 0.75) * 9.0;
    own = mix(own, vec4(u_chosen, 1.0), line(box, 1.0 / u_size));
  }
  colour = own;
}`;

const ELLIPSE_VERTEX = `${COMMON}
in vec2 a_corner; in vec4 a_motion; in vec3 a_axes; in vec4 a_colour; out vec2 v_at; out vec4 v_colour; flat out vec2 v_axes;
void main() {
  vec2 axes = a_axes.xy * u_world;
  v_axes = axes; v_colour = a_colour;
  vec2 grown = axes + 2.0;
  v_at = a_corner * grown;
  float c = cos(a_axes.z), s = sin(a_axes.z);
  vec2 along = vec2(s, -c), across = vec2(c, s);
  gl_Position = axes.x < 5.0 ? vec4(2.0, 2.0, 0.0, 1.0)
    : place(a_motion.xy, a_motion.zw, along * v_at.x + across * v_at.y);
}`;
const ELLIPSE_FRAGMENT = `#version 300 es
precision highp float;
in vec2 v_at; in vec4 v_colour; flat in vec2 v_axes; out vec4 colour;
void main() {
  vec2 axes = max(v_axes, vec2(0.75));
  vec2 q = v_at / axes;
  float k = length(q), slope = max(length(v_at / (axes * axes)), 1e-6);
  float d = (k - 1.0) * k / slope;
  float alpha = 0.10 * (1.0 - smoothstep(-0.5, 0.5, d)) + 0.5 * (1.0 - smoothstep(0.4, 1.3, abs(d)));
  alpha *= v_colour.a;
  colour = vec4(v_colour.rgb * alpha, alpha);
}`;

const LINE_VERTEX = `${COMMON}
in vec2 a_at; in vec4 a_colour; out vec4 v_colour;
void main() { v_colour = a_colour; gl_Position = place(a_at, vec2(0.0), vec2(0.0)); }`;
const LINE_FRAGMENT = `#version 300 es
precision mediump float; in vec4 v_colour; out vec4 colour;
void main() { colour = vec4(v_colour.rgb * v_colour.a, v_colour.a); }`;

const ATTRIBUTES = ["a_corner", "a_motion", "a_look", "a_colour", "a_axes", "a_at"];
const SYMBOL_FLOATS = 15; // motion 4, look 4 (heading, shape, flags, cell of the atlas), colour 4, axes 3

interface Program { program: WebGLProgram; uniform: (name: string) => WebGLUniformLocation | null }

export class MarkLayer implements CustomLayerInterface {
  readonly id = "marks";
  readonly type = "custom" as const;
  readonly renderingMode = "2d" as const;
  private programs: Program[] = [];
  private arrays: WebGLVertexArrayObject[] = [];
  private symbols: WebGLBuffer | null = null;
  private lines: WebGLBuffer | null = null;
  private n = 0;
  private linesN = 0;
  private atlas: WebGLTexture | null = null;
  private painted = false;
  private anchor = { x: 0.5, y: 0.5 };
  private pending: Marks | null = null;
  ellipses = true;

  constructor(private readonly view: () => View, private readonly ahead: () => number, private readonly pulse: () => number, private readonly again: () => void) {}

  onAdd(_map: Chart, context: WebGLRenderingContext | WebGL2RenderingContext): void {
    const gl = context as WebGL2RenderingContext;
    this.programs = [
      compile(gl, ELLIPSE_VERTEX, ELLIPSE_FRAGMENT),
      compile(gl, LINE_VERTEX, LINE_FRAGMENT),
      compile(gl, SYMBOL_VERTEX, SYMBOL_FRAGMENT),
    ];
    this.symbols = gl.createBuffer();
    this.lines = gl.createBuffer();
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const bind = (at: number, size: number, stride: number, offset: number, divisor: number): void => {
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 4 * stride, 4 * offset);
      gl.vertexAttribDivisor(at, divisor);
    };
    const instanced = gl.createVertexArray();
    gl.bindVertexArray(instanced);
    bind(0, 2, 2, 0, 0);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.symbols);
    bind(1, 4, SYMBOL_FLOATS, 0, 1);
    bind(2, 4, SYMBOL_FLOATS, 4, 1);
    bind(3, 4, SYMBOL_FLOATS, 8, 1);
    bind(4, 3, SYMBOL_FLOATS, 12, 1);
    const lined = gl.createVertexArray();
    gl.bindVertexArray(lined);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    bind(5, 2, LINE_BYTES / 4, 0, 0);
    gl.enableVertexAttribArray(3);
    gl.vertexAttribPointer(3, 4, gl.UNSIGNED_BYTE, true, LINE_BYTES, 8);
    gl.bindVertexArray(null);
    this.arrays = [instanced, lined];
  }

  take(marks: Marks): void {
    this.pending = marks;
  }

  private upload(gl: WebGL2RenderingContext, marks: Marks): void {
    this.anchor = marks.anchor;
    const data = new Float32Array(marks.n * SYMBOL_FLOATS);
    let o = 0;
    for (const i of drawOrder(marks)) {
      data[o++] = marks.x[i]! - this.anchor.x;
      data[o++] = marks.y[i]! - this.anchor.y;
      data[o++] = marks.vx[i]!;
      data[o++] = marks.vy[i]!;
      data[o++] = marks.heading[i]!;
      data[o++] = marks.shape[i]!;
      data[o++] = marks.flags[i]!;
      data[o++] = marks.cell[i]!;
      data[o++] = marks.rgb[3 * i]!;
      data[o++] = marks.rgb[3 * i + 1]!;
      data[o++] = marks.rgb[3 * i + 2]!;
      data[o++] = marks.alpha[i]!;
      data[o++] = marks.major[i]!;
      data[o++] = marks.minor[i]!;
      data[o++] = marks.turn[i]!;
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.symbols);
    gl.bufferData(gl.ARRAY_BUFFER, data, gl.DYNAMIC_DRAW);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    gl.bufferData(gl.ARRAY_BUFFER, marks.lines.data, gl.DYNAMIC_DRAW);
    this.n = marks.n;
    this.linesN = marks.lines.n;
  }

  render(context: WebGLRenderingContext | WebGL2RenderingContext): void {
    const gl = context as WebGL2RenderingContext;
    const view = this.view();
    if (this.pending) {
      this.upload(gl, this.pending);
      this.pending = null;
    }
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.disable(gl.DEPTH_TEST);
    gl.disable(gl.STENCIL_TEST);
    gl.disable(gl.CULL_FACE);
    const [ellipse, line, symbol] = this.programs as [Program, Program, Program];
    gl.bindVertexArray(this.arrays[0]!);
    if (this.n && this.ellipses) {
      this.use(gl, ellipse, view, this.ahead());
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.n);
    }
    gl.bindVertexArray(this.arrays[1]!);
    if (this.linesN) {
      this.use(gl, line, view, 0);
      gl.drawArrays(gl.LINES, 0, this.linesN);
    }
    gl.bindVertexArray(this.arrays[0]!);
    if (this.n) {
      this.use(gl, symbol, view, this.ahead());
      gl.uniform1f(symbol.uniform("u_pulse"), this.pulse());
      for (const name of ["halo", "alarm", "chosen"] as const) gl.uniform3f(symbol.uniform(`u_${name}`), ...rgbOf(tint[`mark-${name}`]));
      this.useAtlas(gl, symbol);
      gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, this.n);
    }
    gl.bindVertexArray(null);
  }

  /** The atlas, painted once it was read; until then its cells are empty. */
  private useAtlas(gl: WebGL2RenderingContext, { uniform }: Program): void {
    const image = this.painted ? null : atlasImage(this.again);
    this.atlas ??= gl.createTexture();
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.atlas);
    gl.uniform1i(uniform("u_atlas"), 0);
    if (this.painted) return;
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, true);
    if (image) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, image);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    this.painted = image !== null;
  }

  private use(gl: WebGL2RenderingContext, { program, uniform }: Program, view: View, ahead: number): void {
    gl.useProgram(program);
    gl.uniform2f(uniform("u_offset"), (this.anchor.x - view.x) * view.worldPx, (this.anchor.y - view.y) * view.worldPx);
    gl.uniform1f(uniform("u_world"), view.worldPx);
    gl.uniform2f(uniform("u_half"), view.width / 2, view.height / 2);
    gl.uniform1f(uniform("u_ahead"), ahead);
    gl.uniform1f(uniform("u_size"), scale() * symbolPx(view));
  }
}

/** Half the size of a symbol: smaller when one looks at a country, larger over one field. */
export const symbolPx = (view: View): number => Math.max(4.5, Math.min(10, 2.2 + Math.log2(view.worldPx / 512) * 0.62));

/** Alarmed and selected things lie on top. */
function drawOrder(marks: Marks): number[] {
  const last: number[] = [];
  const order: number[] = [];
  for (let i = 0; i < marks.n; i++) (marks.flags[i]! >= Flag.alarmed ? last : order).push(i);
  return order.concat(last);
}

function compile(gl: WebGL2RenderingContext, vertex: string, fragment: string): Program {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "shader");
  }
  ATTRIBUTES.forEach((name, at) => gl.bindAttribLocation(program, at, name));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "link");
  const places = new Map<string, WebGLUniformLocation | null>();
  const uniform = (name: string): WebGLUniformLocation | null => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name)!;
  };
  return { program, uniform };
}
