// The binary picture as scaled columns. Mirrors docs/wire.md; the message describes itself, nothing is assumed of order.

export const HEIGHT_UNKNOWN = -32768; // docs/wire.md: the height was not measured

export type Column = Float64Array;
export interface Table {
  readonly n: number;
  readonly columns: Readonly<Record<string, Column>>;
}
export interface Picture {
  readonly tick: number;
  readonly timeMs: number; // UTC of the data
  readonly tracks: Table;
  readonly claims: Table;
  readonly good: Table;
  readonly directions: Table; // bearings that nothing explains
}

interface Header {
  tick: number;
  time_ns: string;
  tables: Record<string, { n: number; columns: [string, string, number, number][] }>;
}

type Raw = Uint8Array | Int16Array | Uint16Array | Int32Array | Uint32Array;

function raw(kind: string, buffer: ArrayBuffer, at: number, n: number): Raw {
  switch (kind) {
    case "u1": return new Uint8Array(buffer, at, n);
    case "i2": return new Int16Array(buffer, at, n);
    case "u2": return new Uint16Array(buffer, at, n);
    case "i4": return new Int32Array(buffer, at, n);
    case "u4": return new Uint32Array(buffer, at, n);
    default: throw new Error(`column type ${kind} is unknown`);
  }
}

/** Only when a picture is of. */
export function timeOf(buffer: ArrayBuffer): number {
  const length = new DataView(buffer).getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length))) as Header;
  return Number(header.time_ns) / 1e6;
}

const EMPTY: Table = { n: 0, columns: {} };

export function decode(buffer: ArrayBuffer): Picture {
  const view = new DataView(buffer);
  if (view.getUint32(0) !== 0x4c575031) throw new Error("not a Lapwing picture");
  const start = 8 + view.getUint32(4, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, start - 8))) as Header;
  const tables: Record<string, Table> = {};
  for (const [name, table] of Object.entries(header.tables)) {
    const columns: Record<string, Column> = {};
    for (const [column, kind, offset, scale] of table.columns) {
      const values = raw(kind, buffer, start + offset, table.n);
      const scaled = Float64Array.from(values);
      if (scale !== 1) for (let i = 0; i < scaled.length; i++) scaled[i]! *= scale;
      columns[column] = scaled;
    }
    tables[name] = { n: table.n, columns };
  }
  return {
    tick: header.tick,
    timeMs: Number(header.time_ns) / 1e6,
    tracks: tables["tracks"] ?? EMPTY,
    claims: tables["claims"] ?? EMPTY,
    good: tables["good"] ?? EMPTY,
    directions: tables["directions"] ?? EMPTY,
  };
}

export function col(table: Table, name: string): Column {
  const found = table.columns[name];
  if (!found) throw new Error(`the picture has no column ${name}`);
  return found;
}
