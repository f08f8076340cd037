import { inspect } from "node:util";

/** Returns everything that logging `value` might print. */
export function printed(value: unknown): string {
  const seen = new Set<unknown>();
  const parts: string[] = [];
  const add = (each: unknown): void => {
    if (seen.has(each)) return;
    seen.add(each);
    parts.push(inspect(each, { depth: null, showHidden: true }), JSON.stringify(each) ?? "", String(each));
    if (each instanceof Error) {
      parts.push(each.stack ?? "");
      add(each.cause);
    }
  };
  add(value);
  return parts.join("\n");
}
