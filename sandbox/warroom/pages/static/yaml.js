// Where in a scenario's YAML the cursor stands, and which words may stand there. Pure: texts in, words out.

const KEY = /^([A-Za-z_][\w.>-]*):(?=\s|$)\s*/;
const MOST = 60;

/**
 * The place at an offset: {path, part, isKey, isItem}, null inside of a text block or a comment. path: keys, and `[]` for an
 * entry of a list. part: what is typed of a word so far. isKey: the word is a key. isItem: it is an entry, which may become either.
 */
export function placeAt(text, at) {
  const lines = text.slice(0, at).split("\n");
  const stack = []; // [column, part] of what is open
  let block = -1; // column of the key whose text block goes on
  for (const [i, line] of lines.entries()) {
    const isLast = i === lines.length - 1;
    let column = line.length - line.trimStart().length;
    if (block >= 0 && (column > block || (!line.trim() && !isLast))) {
      if (isLast) return null;
      continue;
    }
    block = -1;
    let rest = line.slice(column);
    if (!rest || rest.startsWith("#")) {
      if (isLast && rest) return null;
      if (!isLast) continue;
    }
    let isItem = false;
    for (let dash = /^-(\s+|$)/.exec(rest); dash; dash = /^-(\s+|$)/.exec(rest)) {
      close(stack, column, true);
      stack.push([column, "[]"]);
      column += dash[0].length;
      rest = rest.slice(dash[0].length);
      isItem = true;
    }
    const key = KEY.exec(rest);
    if (key) {
      close(stack, column, false);
      stack.push([column, key[1]]);
      rest = rest.slice(key[0].length);
      if (/^[|>][+-]?\d?\s*(#.*)?$/.test(rest) && !isLast) block = column;
    }
    if (!isLast) continue;
    if (!key && !isItem) close(stack, column, false);
    const path = stack.map(([, part]) => part);
    if (/^[{[]/.test(rest)) return inFlow(rest, path);
    if (/(^|\s)#/.test(rest)) return null;
    return { path, part: rest.replace(/^["']/, ""), isKey: !key && !isItem, isItem: !key && isItem };
  }
  return null;
}

function close(stack, column, isDash) {
  const over = ([at, part]) => at > column || (at === column && (part === "[]" || !isDash));
  while (stack.length && over(stack.at(-1))) stack.pop();
}

/** The same within {…} and […] on one line. */
function inFlow(rest, path) {
  const frames = [];
  let token = "";
  let quote = null;
  for (const char of rest) {
    const top = frames.at(-1);
    if (quote) quote = char === quote ? null : quote;
    else if (char === '"' || char === "'") quote = char;
    else if (char === "{" || char === "[") { frames.push({ isMap: char === "{", key: null }); token = ""; }
    else if (char === "}" || char === "]") { frames.pop(); token = ""; }
    else if (char === "," ) { if (top) top.key = null; token = ""; }
    else if (char === ":" && top?.isMap && top.key === null) { top.key = token.trim(); token = ""; }
    else token += char;
  }
  if (!frames.length) return null;
  const parts = frames.flatMap((frame) => (frame.isMap ? (frame.key === null ? [] : [frame.key]) : ["[]"]));
  const last = frames.at(-1);
  return { path: [...path, ...parts], part: token.trimStart(), isKey: last.isMap && last.key === null, isItem: false };
}

/** Words that may stand at a place: [{word, insert, about}], those that begin with what is typed first. words: of the server. */
export function offers(words, text, at) {
  const place = placeAt(text, at);
  if (!place) return { part: "", list: [] };
  const name = place.path.join(".");
  const nodes = place.path.reduce((found, part) => found.flatMap((node) => step(words.schema, node, part)), [words.schema]).flatMap((node) => variants(words.schema, node));
  const found = [];
  if (place.isKey || place.isItem) {
    for (const node of nodes) for (const [key, of] of Object.entries(node.properties ?? {})) found.push(key_(key, told(words.schema, of, node.required?.includes(key))));
    if (place.isKey) for (const word of words.values[name] ?? []) found.push(word.includes(": ") ? { word, insert: word, about: "" } : key_(word, words.about[`${place.path.at(-1)}.${word}`] ?? ""));
    if (place.path.at(-1) === "params") for (const [knob, about] of Object.entries(words.knobs[faultNear(words, text, at)] ?? {})) found.push(key_(knob, about));
  }
  if (!place.isKey) {
    for (const word of words.values[name] ?? []) found.push({ word, insert: word, about: words.about[word] ?? "" });
    for (const node of nodes) {
      for (const word of [...(node.enum ?? []), ...("const" in node ? [node.const] : []), ...(node.type === "boolean" ? [true, false] : [])]) found.push({ word: String(word), insert: String(word), about: "" });
    }
  }
  const part = place.part.toLowerCase();
  const unique = [...new Map(found.map((one) => [one.word, one])).values()].filter((one) => one.word.toLowerCase() !== part);
  const first = unique.filter((one) => one.word.toLowerCase().startsWith(part));
  const within = unique.filter((one) => part && !first.includes(one) && one.word.toLowerCase().includes(part));
  return { part: place.part, list: [...first, ...within].slice(0, MOST) };
}

const key_ = (word, about) => ({ word, insert: `${word}: `, about });

function told(schema, of, isRequired) {
  const [node] = variants(schema, of);
  const kind = node?.type ?? "";
  return `${isRequired ? "required, " : ""}${kind}${node?.description ? `: ${node.description.split("\n")[0]}` : ""}`;
}

/** What a schema may be, its references followed. */
function variants(schema, node) {
  if (node === true || !node) return [];
  if (node.$ref) return variants(schema, schema.$defs[node.$ref.split("/").at(-1)]);
  const several = node.anyOf ?? node.oneOf ?? node.allOf;
  return several ? several.flatMap((one) => variants(schema, one)).filter((one) => one.type !== "null") : [node];
}

function step(schema, node, part) {
  return variants(schema, node).flatMap((one) => {
    if (part === "[]") return [one.items, ...(one.prefixItems ?? [])].filter(Boolean);
    const inner = one.properties?.[part] ?? (typeof one.additionalProperties === "object" ? one.additionalProperties : null);
    return inner ? [inner] : [];
  });
}

/** The fault whose parameters are written at an offset: the last that is named before it. */
function faultNear(words, text, at) {
  const named = [...text.slice(0, at).matchAll(/\bname:\s*([a-z0-9-]+)/g)].map((found) => found[1]);
  return named.filter((name) => name in words.knobs).at(-1);
}
