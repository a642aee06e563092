// Web Mercator in units of the whole world (0..1), and the view: north up, no tilt, so a pixel is an easy sum.

const EARTH_M = 40_075_016.686;
const LATITUDE_MAX = 85.051129;

export const mercatorX = (longitude: number): number => longitude / 360 + 0.5;
export function mercatorY(latitude: number): number {
  const a = (Math.max(-LATITUDE_MAX, Math.min(LATITUDE_MAX, latitude)) * Math.PI) / 180;
  return 0.5 - Math.log(Math.tan(Math.PI / 4 + a / 2)) / (2 * Math.PI);
}
export const longitudeOf = (x: number): number => (x - 0.5) * 360;
export const latitudeOf = (y: number): number => (Math.atan(Math.exp((0.5 - y) * 2 * Math.PI)) * 360) / Math.PI - 90;
/** Mercator units of one metre at a latitude. */
export const unitsPerMetre = (latitude: number): number => 1 / (EARTH_M * Math.cos((latitude * Math.PI) / 180));

export interface View { x: number; y: number; worldPx: number; width: number; height: number }

export const pixelX = (view: View, x: number): number => (x - view.x) * view.worldPx + view.width / 2;
export const pixelY = (view: View, y: number): number => (y - view.y) * view.worldPx + view.height / 2;

/** What map and scope both are to the rest of the page. */
export interface Stage {
  view(): View;
  flyTo(latitude: number, longitude: number, zoom?: number): void;
  jumpTo(latitude: number, longitude: number, zoom: number): void;
  panBy(x: number, y: number): void;
  zoomBy(steps: number): void;
  redraw(): void;
  /** What one drawing takes, ms, smoothed. */
  readonly drawMs: number;
  /** Called when the view changed or a frame was drawn. */
  onFrame(then: () => void): void;
  onClick(then: (x: number, y: number) => void): void;
  readonly zoom: number;
  readonly centre: { latitude: number; longitude: number };
}
