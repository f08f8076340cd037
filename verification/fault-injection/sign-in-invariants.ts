import { readFileSync } from "node:fs";
import { headOf } from "./faults.ts";
import type { Facts } from "./round.ts";

/** One prompt for all, one grant that is used, and no claim that remains. */
export function signInViolations({ point, scene, victim, others, next, granted }: Facts): string[] {
  if (point.prompts === undefined) return [];
  const all = [victim, ...others];
  const prompts = all.reduce((sum, child) => sum + child.prompts, 0);
  const isSignedIn = all.some((child) => child.outcomes.includes("200"));
  const expected = isSignedIn ? 0 : 1;
  const presented = [...all, next]
    .flatMap((child) => child.lines)
    .flatMap((line) => ("digest" in line ? line.digest : []));
  const used = granted.filter((digest) => presented.includes(digest));
  return [
    ...(prompts > point.prompts ? [`${prompts} prompts instead of at most ${point.prompts}`] : []),
    ...(next.prompts === expected ? [] : [`${next.prompts} prompts of the next process instead of ${expected}`]),
    ...(used.length === 1 ? [] : [`${used.length} of ${granted.length} grants were used`]),
    ...(storedRecord(scene.chain).signIn === undefined ? [] : ["left over: the claim of a sign-in"]),
  ];
}

function storedRecord(chain: string): { readonly signIn?: object } {
  const { value } = JSON.parse(readFileSync(headOf(chain), "utf8")) as { value: string };
  return JSON.parse(value) as { signIn?: object };
}
