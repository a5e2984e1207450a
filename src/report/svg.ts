const entities: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** What XML 1.0 cannot hold even as an entity, and the other control characters. */
const illegal = /(?![\t\n\r])\p{Cc}|\p{Cs}|[\ufffe\uffff]/gu;

/** `text` made safe for the content and the quoted attributes of HTML and XML. */
export const escapeText = (text: string): string => text.replace(illegal, "\ufffd").replace(/[&<>"']/g, (c) => entities[c]);

export type Attributes = Record<string, string | number | undefined>;

/** `<name a="1">children</name>`; attribute values are escaped and numbers rounded, children are markup already. */
export function element(name: string, attributes: Attributes = {}, ...children: string[]): string {
  let open = name;
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined) open += ` ${key}="${typeof value === "number" ? round(value) : escapeText(value)}"`;
  }
  return children.length === 0 ? `<${open}/>` : `<${open}>${children.join("")}</${name}>`;
}

/** An `<svg>` that scales with its container, named for screen readers by `title`. */
export function svg(width: number, height: number, title: string, ...children: string[]): string {
  const attributes = {
    xmlns: "http://www.w3.org/2000/svg",
    viewBox: `0 0 ${round(width)} ${round(height)}`,
    width,
    height,
    role: "img",
    "aria-label": title,
    "font-family": "system-ui, sans-serif",
    "font-size": 12,
    fill: "currentColor",
  };
  return element("svg", attributes, ...children);
}

/** Text cut to `length` characters. */
export const clip = (text: string, length: number): string => {
  const characters = [...text];
  return characters.length > length ? `${characters.slice(0, length - 1).join("")}…` : text;
};

/** Up to `digits` significant digits, without trailing zeros. */
export const significant = (value: number, digits = 3): string =>
  Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : "–";

const round = (value: number): string => String(Math.round(value * 100) / 100);
