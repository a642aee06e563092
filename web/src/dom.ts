// A very small helper to build elements. Text is always text: what an aircraft calls itself can never become markup.

type Child = Node | string | number | null | undefined | false;
type Props = Record<string, string | number | boolean | ((event: Event) => void) | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: (Child | Child[])[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) element.append(typeof child === "number" ? String(child) : child);
  return element;
}

export function $<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found as T;
}

export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** `act`, at most once in so many milliseconds. The last call is never lost: a picture may be the last for long. */
export function seldom(ms: number, act: () => void): () => void {
  let next = 0;
  let timer = 0;
  const now = (): void => {
    timer = 0;
    next = performance.now() + ms;
    act();
  };
  return () => {
    const wait = next - performance.now();
    if (wait <= 0) now();
    else timer ||= window.setTimeout(now, wait);
  };
}

const SVG = "http://www.w3.org/2000/svg";
/** A small drawing: paths of a 24 x 24 box, each with its attributes. */
export function drawing(parts: Record<string, string>[], label = ""): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("width", "20");
  svg.setAttribute("height", "20");
  if (label) svg.setAttribute("aria-label", label);
  else svg.setAttribute("aria-hidden", "true");
  for (const { tag = "path", ...attributes } of parts) {
    const part = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
    svg.append(part);
  }
  return svg;
}

export const PRIORITY: Record<string, { colour: string; path: string }> = {
  critical: { colour: "var(--p-critical)", path: "M8 2h8l6 6v8l-6 6H8l-6-6V8z" },
  high: { colour: "var(--p-high)", path: "M12 3 22 21H2z" },
  medium: { colour: "var(--p-medium)", path: "M12 2 22 12 12 22 2 12z" },
  low: { colour: "var(--p-low)", path: "M12 3a9 9 0 1 0 .01 0z" },
};
