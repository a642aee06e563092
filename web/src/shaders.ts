// The shaders of the map's own layer. Symbols come in three sets, because a processor that draws them without a graphics card runs
// every branch for every pixel: plain ones (a dart or a dot, nothing else to tell), drawn ones (a civil silhouette), and all others.

import { Flag } from "./marks";
import { APP6_CELLS, COLUMNS, ROWS } from "./symbols";

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

/** What a set of symbols may hold. */
export const SETS = ["plain", "drawn", "all"] as const;
export type SymbolSet = (typeof SETS)[number];

// Corners of a symbol's box in units of its half size. Plain and drawn ones turn with their box, which is then small: a dart
// reaches from -0.95 (its tip, which a halo lengthens by 5.5 px) to 0.69, and 0.68 to the sides; a silhouette fills 1.3.
const BOX = {
  plain: "mix(vec2(-0.68 - 3.0 / u_size, -0.95 - 5.5 / u_size), vec2(0.68, 0.69) + 3.0 / u_size, a_corner * 0.5 + 0.5)",
  drawn: "a_corner * 1.3",
};
const TURNED = (box: string): string => `v_turned = ${box};
  v_at = vec2(c * v_turned.x - s * v_turned.y, s * v_turned.x + c * v_turned.y);`;
const UPRIGHT = `v_at = a_corner * 1.6;
  v_turned = vec2(c * v_at.x + s * v_at.y, -s * v_at.x + c * v_at.y);`;

export const symbolVertex = (set: SymbolSet): string => `${COMMON}
in vec2 a_corner; in vec4 a_motion; in vec4 a_look; in vec4 a_colour;
uniform float u_size; out vec2 v_at; out vec2 v_turned; flat out vec4 v_look; out vec4 v_colour;
void main() {
  float c = cos(a_look.x), s = sin(a_look.x);
  ${set === "all" ? UPRIGHT : TURNED(BOX[set])}
  v_look = a_look; v_colour = a_colour;
  gl_Position = place(a_motion.xy, a_motion.zw, v_at * u_size);
}`;

// Signed distances in units of the symbol's half size; y points down the screen, "up" is the heading.
const SYMBOL_HEAD = `#version 300 es
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
float filled(vec2 p, int shape) { return shape == 2 ? length(p) - 0.42 : dart(p); }
vec4 drawn(int cell, vec2 q) { // a cell of the atlas; q reaches to 1
  vec2 inside = clamp(q * 0.5 + 0.5, 0.01, 0.99);
  return texture(u_atlas, (vec2(float(cell % ${COLUMNS}), float(cell / ${COLUMNS})) + inside) / vec2(${COLUMNS}.0, ${ROWS}.0)) * step(max(abs(q.x), abs(q.y)), 1.0);
}
vec4 inked(float ink, float halo) { return vec4(v_colour.rgb * ink + u_halo * max(0.85 * halo - ink, 0.0), max(ink, 0.85 * halo)) * v_colour.a; }
`;

const PLAIN = `${SYMBOL_HEAD}
void main() {
  int shape = int(v_look.y + 0.5);
  float body = filled(v_turned, shape), ink = line(body, 0.0);
  if (shape == 1) ink *= 1.0 - line(length(v_turned - vec2(0.0, 0.05)), 0.27);
  colour = inked(ink, line(body, 1.6 / u_size));
}`;

const DRAWN = `${SYMBOL_HEAD}
void main() {
  vec4 got = drawn(int(v_look.w + 0.5) - 1, v_turned / 1.3);
  colour = inked(got.r, got.a);
}`;

const ALL = `${SYMBOL_HEAD}
void main() {
  int shape = int(v_look.y + 0.5), flags = int(v_look.z + 0.5), state = flags & 7;
  vec2 p = v_turned;
  float w = max(0.14, 0.95 / u_size);
  float body = filled(p, min(shape, 2)); bool solid = shape < 3;
  if (shape == 3) { body = abs(length(p) - 0.55); body = min(body, segment(p, vec2(0.0, -0.55), vec2(0.0, -1.15))); }
  else if (shape == 4) body = abs(abs(p.x) / 0.5 + abs(p.y) / 0.95 - 1.0) * 0.44;
  else if (shape > 4) { vec2 q = abs(p); body = abs(max(q.x, q.y) - 0.5); body = min(body, segment(p, vec2(0.0, -0.5), vec2(0.0, -1.1))); }
  float ink, halo;
  if (solid) { ink = line(body, 0.0); halo = line(body, 1.6 / u_size);
    if (shape == 1) ink *= 1.0 - line(length(p - vec2(0.0, 0.05)), 0.27); }
  else { ink = line(body, w); halo = line(body, w + 1.4 / u_size); }
  float mark = 9.0;
  if (state == 1) { float a = atan(v_at.y, v_at.x); mark = abs(length(v_at) - 1.0) + step(0.5, fract(a * 1.2732)) * 9.0; }
  if (state == 2) mark = min(segment(v_at, vec2(-0.72), vec2(0.72)), segment(v_at, vec2(-0.72, 0.72), vec2(0.72, -0.72)));
  if (state == 3) { vec2 q = vec2(abs(v_at.x), v_at.y); mark = min(segment(q, vec2(0.0, -1.2), vec2(1.1, 0.75)), segment(q, vec2(0.0, 0.75), vec2(1.1, 0.75))); }
  int cell = int(v_look.w + 0.5) - 1; bool framed = cell >= 0 && cell < ${APP6_CELLS}; // a symbol of APP-6 does not turn
  vec2 q = (cell >= ${APP6_CELLS} ? v_turned : v_at) / 1.3;
  vec4 symbol = vec4(0.0);
  if (cell >= 0) {
    symbol = drawn(cell, q);
    ink = symbol.r; halo = symbol.a;
    if (framed) { float course = segment(p, vec2(0.0, -1.2), vec2(0.0, -1.5)); ink = line(course, w); halo = line(course, w + 1.4 / u_size); }
  }
  ink = max(ink, line(mark, w)); halo = max(halo, line(mark, w + 1.4 / u_size));
  vec4 own = inked(ink, halo);
  if (framed) own += symbol * v_colour.a * (1.0 - own.a);
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

export const SYMBOL_FRAGMENT: Record<SymbolSet, string> = { plain: PLAIN, drawn: DRAWN, all: ALL };

export const ELLIPSE_VERTEX = `${COMMON}
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
export const ELLIPSE_FRAGMENT = `#version 300 es
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

export const LINE_VERTEX = `${COMMON}
in vec2 a_at; in vec4 a_colour; out vec4 v_colour;
void main() { v_colour = a_colour; gl_Position = place(a_at, vec2(0.0), vec2(0.0)); }`;
export const LINE_FRAGMENT = `#version 300 es
precision mediump float; in vec4 v_colour; out vec4 colour;
void main() { colour = vec4(v_colour.rgb * v_colour.a, v_colour.a); }`;
