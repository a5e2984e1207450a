import { paletteCss } from "./chart.js";

const light = "color:#1c2024;background:#fff;--rule:#d8dce0;--soft:#f4f6f8;--muted:#59636e;--best:#0b5f3f";
const dark = "color:#e6e8ea;background:#15181b;--rule:#363c42;--soft:#1f2428;--muted:#a3adb7;--best:#5fd0a0";

/** The style sheet of a report: both colour schemes, and the light one on paper. */
export const reportCss = `
:root{color-scheme:light dark;${light}}
${paletteCss(":root", "light")}
@media (prefers-color-scheme:dark){:root{${dark}}${paletteCss(":root", "dark")}}
@media print{:root{color-scheme:light;${light}}${paletteCss(":root", "light")}body{margin:0;max-width:none}.scroll{overflow:visible}}
@page{margin:15mm}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;max-width:1240px;margin:0 auto;padding:24px 20px 48px;overflow-wrap:anywhere}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 4px}
h2{font-size:1.2rem;margin:36px 0 10px;padding-bottom:4px;border-bottom:1px solid var(--rule)}
h3{font-size:1rem;margin:22px 0 8px}
h2,h3{break-after:avoid}
p{max-width:75ch;margin:8px 0}
.muted,figcaption{color:var(--muted);font-size:.87rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem;overflow-wrap:normal}
caption{text-align:left;color:var(--muted);font-size:.87rem;padding-bottom:6px}
th,td{padding:5px 14px 5px 0;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}
thead th{border-bottom-width:2px;vertical-align:bottom}
th.number,td.number{text-align:right;padding:5px 0 5px 18px}
td.number{white-space:nowrap}
.number+td:not(.number),.number+th:not(.number){padding-left:24px}
tbody th{font-weight:500}
table.config td{overflow-wrap:anywhere}
table.comparison{width:100%}
table.comparison tbody th{overflow-wrap:anywhere;min-width:9em}
td.best{font-weight:700;color:var(--best)}
tr{break-inside:avoid}
figure{margin:0;break-inside:avoid}
figcaption{margin:4px 0 8px}
svg,img{max-width:100%;height:auto;display:block}
.row{display:flex;flex-wrap:wrap;gap:20px 28px;align-items:flex-start}
.row>figure{max-width:100%}
.row .row{gap:12px}
.charts>figure{flex:1 1 440px;max-width:640px}
.charts svg{width:100%}
.samples figure{margin-bottom:12px}
@media (max-width:900px),print{table.comparison{font-size:.8rem}table.comparison tbody th{min-width:5em}table.comparison .number{padding-left:10px}}
@media print{.charts>figure{flex-basis:280px}}
table.norms{min-width:360px;break-inside:avoid}
`;
