import * as assert from "uvu/assert";

const voids = new Set(["meta", "link", "br", "hr", "img", "!doctype"]);
const tag = /<(\/?)([!?]?[A-Za-z][\w:-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*([/?]?)>/y;
const entity = /&(?!(?:amp|lt|gt|quot|#39);)/;

/** Fails unless every tag is closed in order, attributes are quoted and named once, and text holds no bare < or &. Style sheets are skipped. */
export function assertWellFormed(markup: string): void {
  const open: string[] = [];
  let at = 0;
  while (at < markup.length) {
    const next = markup.indexOf("<", at);
    const text = markup.slice(at, next < 0 ? undefined : next);
    assert.not.match(text, entity, `bare & in "${text.slice(0, 60)}"`);
    if (next < 0) break;
    tag.lastIndex = next;
    const match = tag.exec(markup);
    assert.ok(match, `malformed tag at "${markup.slice(next, next + 80)}"`);
    const [whole, closing, name, attributes, selfClosing] = match as unknown as string[];
    assert.not.match(attributes, entity);
    const names = [...attributes.matchAll(/\s([\w:-]+)(?:=|\s|$)/g)].map((m) => m[1]);
    assert.is(new Set(names).size, names.length, `an attribute twice in ${whole.slice(0, 80)}`);
    at = next + whole.length;
    if (closing) assert.is(open.pop(), name, `</${name}> closes another element`);
    else if (!selfClosing && !voids.has(name.toLowerCase())) open.push(name);
    if (name === "style" && !closing) at = markup.indexOf("</style>", at);
  }
  assert.equal(open, [], "elements left open");
}
