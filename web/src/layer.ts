// The one custom WebGL2 layer: ellipses, trails and symbols of all tracks and claims in a handful of draw calls.
// Positions are relative to the site, so that float32 holds to a fraction of a pixel at zoom 17.

import type { CustomLayerInterface, Map as Chart } from "maplibre-gl";
import { LINE_BYTES } from "./lines";
import { Flag, Shape, type Marks } from "./marks";
import { ELLIPSE_FRAGMENT, ELLIPSE_VERTEX, LINE_FRAGMENT, LINE_VERTEX, SETS, SYMBOL_FRAGMENT, symbolVertex } from "./shaders";
import { APP6_CELLS, atlasImage, scale } from "./symbols";
import { rgbOf, tint } from "./theme";
import type { View } from "./view";

const ATTRIBUTES = ["a_corner", "a_motion", "a_look", "a_colour", "a_axes", "a_at"];
const FENCE_LOOK_MS = 5;
const FENCE_MS_MAX = 5_000;
const SYMBOL_FLOATS = 15; // motion 4, look 4 (heading, shape, flags, cell of the atlas), colour 4, axes 3

interface Program { program: WebGLProgram; uniform: (name: string) => WebGLUniformLocation | null }
/** Symbols that one program draws. */
interface Batch { program: Program; array: WebGLVertexArrayObject; buffer: WebGLBuffer; n: number }

export class MarkLayer implements CustomLayerInterface {
  readonly id = "marks";
  readonly type = "custom" as const;
  readonly renderingMode = "2d" as const;
  private programs: Program[] = []; // ellipses, lines
  private batches: Batch[] = []; // in the order of SETS, which is the order of drawing
  private lined: WebGLVertexArrayObject | null = null;
  private lines: WebGLBuffer | null = null;
  private linesN = 0;
  private atlas: WebGLTexture | null = null;
  private painted = false;
  private anchor = { x: 0.5, y: 0.5 };
  private pending: Marks | null = null;
  private fence: WebGLSync | null = null;
  ellipses = true;
  /** What drawing takes, ms, smoothed: until the graphics processor, which may be this machine's own, has done it. */
  drawMs = 0;

  constructor(private readonly view: () => View, private readonly ahead: () => number, private readonly pulse: () => number, private readonly again: () => void) {}

  onAdd(_map: Chart, context: WebGLRenderingContext | WebGL2RenderingContext): void {
    const gl = context as WebGL2RenderingContext;
    this.programs = [compile(gl, ELLIPSE_VERTEX, ELLIPSE_FRAGMENT), compile(gl, LINE_VERTEX, LINE_FRAGMENT)];
    this.lines = gl.createBuffer();
    const corners = gl.createBuffer();
    gl.bindBuffer(gl.ARRAY_BUFFER, corners);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW);
    const bind = (at: number, size: number, stride: number, offset: number, divisor: number): void => {
      gl.enableVertexAttribArray(at);
      gl.vertexAttribPointer(at, size, gl.FLOAT, false, 4 * stride, 4 * offset);
      gl.vertexAttribDivisor(at, divisor);
    };
    this.batches = SETS.map((set) => {
      const [array, buffer] = [gl.createVertexArray(), gl.createBuffer()];
      gl.bindVertexArray(array);
      gl.bindBuffer(gl.ARRAY_BUFFER, corners);
      bind(0, 2, 2, 0, 0);
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      bind(1, 4, SYMBOL_FLOATS, 0, 1);
      bind(2, 4, SYMBOL_FLOATS, 4, 1);
      bind(3, 4, SYMBOL_FLOATS, 8, 1);
      bind(4, 3, SYMBOL_FLOATS, 12, 1);
      return { program: compile(gl, symbolVertex(set), SYMBOL_FRAGMENT[set]), array, buffer, n: 0 };
    });
    this.lined = gl.createVertexArray();
    gl.bindVertexArray(this.lined);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    bind(5, 2, LINE_BYTES / 4, 0, 0);
    gl.enableVertexAttribArray(3);
    gl.vertexAttribPointer(3, 4, gl.UNSIGNED_BYTE, true, LINE_BYTES, 8);
    gl.bindVertexArray(null);
  }

  take(marks: Marks): void {
    this.pending = marks;
  }

  private upload(gl: WebGL2RenderingContext, marks: Marks): void {
    this.anchor = marks.anchor;
    batched(marks).forEach((rows, k) => {
      const batch = this.batches[k]!;
      batch.n = rows.length;
      gl.bindBuffer(gl.ARRAY_BUFFER, batch.buffer);
      gl.bufferData(gl.ARRAY_BUFFER, packed(marks, rows), gl.DYNAMIC_DRAW);
    });
    gl.bindBuffer(gl.ARRAY_BUFFER, this.lines);
    gl.bufferData(gl.ARRAY_BUFFER, marks.lines.data, gl.DYNAMIC_DRAW);
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
    const [ellipse, line] = this.programs as [Program, Program];
    const ahead = this.ahead();
    if (this.ellipses) {
      this.use(gl, ellipse, view, ahead);
      for (const batch of this.batches) drawn(gl, batch);
    }
    gl.bindVertexArray(this.lined);
    if (this.linesN) {
      this.use(gl, line, view, 0);
      gl.drawArrays(gl.LINES, 0, this.linesN);
    }
    for (const batch of this.batches) {
      if (!batch.n) continue;
      const { uniform } = batch.program;
      this.use(gl, batch.program, view, ahead);
      gl.uniform1f(uniform("u_pulse"), this.pulse());
      for (const name of ["halo", "alarm", "chosen"] as const) gl.uniform3f(uniform(`u_${name}`), ...rgbOf(tint[`mark-${name}`]));
      this.useAtlas(gl, batch.program);
      drawn(gl, batch);
    }
    gl.bindVertexArray(null);
    this.time(gl);
  }

  /** Drawing goes on long after it was asked for; a fence tells when it has ended. */
  private time(gl: WebGL2RenderingContext): void {
    if (this.fence) return; // one at a time
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    if (!fence) return;
    const since = performance.now();
    const look = (): void => {
      const ms = performance.now() - since;
      if (gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED && ms < FENCE_MS_MAX && !gl.isContextLost()) {
        setTimeout(look, FENCE_LOOK_MS);
        return;
      }
      gl.deleteSync(fence);
      this.fence = null;
      this.drawMs = 0.7 * this.drawMs + 0.3 * ms;
    };
    this.fence = fence;
    gl.flush();
    setTimeout(look, FENCE_LOOK_MS);
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

/** Rows of the marks for each of SETS, from below to above: plain, silhouettes, all others. Alarmed and selected things lie on top. */
function batched(marks: Marks): number[][] {
  const [plain, silhouettes, others, last]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let i = 0; i < marks.n; i++) {
    const [flags, cell] = [marks.flags[i]!, marks.cell[i]!];
    if (flags >= Flag.alarmed) last.push(i);
    else if (!flags && !cell && marks.shape[i]! <= Shape.dot) plain.push(i);
    else if (!flags && cell > APP6_CELLS) silhouettes.push(i);
    else others.push(i);
  }
  return [plain, silhouettes, others.concat(last)];
}

/** Rows of the marks as the vertices' attributes. */
function packed(marks: Marks, rows: number[]): Float32Array {
  const data = new Float32Array(rows.length * SYMBOL_FLOATS);
  let o = 0;
  for (const i of rows) {
    data[o++] = marks.x[i]! - marks.anchor.x;
    data[o++] = marks.y[i]! - marks.anchor.y;
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
  return data;
}

function drawn(gl: WebGL2RenderingContext, { array, n }: Batch): void {
  if (!n) return;
  gl.bindVertexArray(array);
  gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, n);
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
