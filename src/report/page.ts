import { defined } from "../defined.js";
import { reportCss } from "./style.js";
import { element, escapeText } from "./svg.js";

/** Nothing outside the file is ever loaded, whatever a name in it says. */
const ownPolicy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** Title and first lines of a page. */
export interface PageHead {
  /** Title of the page. */
  title: string;
  /** One sentence under the title. */
  summary?: string | undefined;
  /** Date and machine as they are to be printed. */
  created?: string | undefined;
}

/** A self-contained HTML page of sections that are markup already; `policy` is its Content-Security-Policy, which allows no script by default. */
export const page = ({ title, summary, created }: PageHead, sections: readonly string[], policy = ownPolicy): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeText(title)}</title>
<style>${reportCss}</style>
</head>
<body>
<header>
<h1>${escapeText(title)}</h1>
${summary ? element("p", {}, escapeText(summary)) : ""}
${created ? element("p", { class: "muted" }, escapeText(created)) : ""}
</header>
<main>
${sections.join("\n")}
</main>
</body>
</html>
`;

export const section = (heading: string, body: string): string => `<section>\n<h2>${escapeText(heading)}</h2>\n${body}\n</section>`;

/** A table that may be wider than the page. */
export const scroll = (table: string, label: string): string =>
  element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);

export interface Column {
  heading: string;
  number?: boolean; // right-aligned
}

/** A table whose first column are row headings; cells are plain text. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const align = ({ number }: Column) => (number ? "number" : undefined);
  const head = columns.map((column) => element("th", defined({ scope: "col", class: align(column) }), escapeText(column.heading)));
  const body = rows.map((row) => {
    const cells = row.map((cell, k) =>
      element(k === 0 ? "th" : "td", defined({ scope: k === 0 ? "row" : undefined, class: align(columns[k]) }), escapeText(cell)),
    );
    return element("tr", {}, ...cells);
  });
  return element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body));
}
