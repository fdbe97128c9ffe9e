// Documents as words, for those who read them and do not write them.

const isEmpty = (value) => value === null || value === undefined || value === "" || (typeof value === "object" && Object.keys(value).length === 0);

/** What a document says, without its braces: lists line by line, what is empty left out. */
export function inWords(value, depth = 0) {
  if (isEmpty(value)) return "–";
  if (Array.isArray(value)) return value.map((one) => inWords(one, depth + 1)).join(depth || value.every((one) => typeof one !== "object") ? ", " : "\n");
  if (typeof value !== "object") return String(value);
  return Object.entries(value).filter(([, one]) => !isEmpty(one)).map(([name, one]) => `${name.replaceAll("_", " ")} ${inWords(one, depth + 1)}`).join("; ");
}
