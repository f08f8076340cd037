import { readdirSync } from "node:fs";
import { documentViolations } from "./documents.ts";
import { OK } from "./expectations.ts";
import type { Line } from "./messages.ts";
import type { Facts } from "./round.ts";
import { signInViolations } from "./sign-in-invariants.ts";

/** Describes the violated invariants. */
export function violations(facts: Facts): string[] {
  return [
    ...outcomeViolations(facts),
    ...serverViolations(facts),
    ...presentationViolations(facts),
    ...leftOverViolations(facts),
    ...secretViolations(facts),
    ...foreignViolations(facts),
    ...signInViolations(facts),
  ];
}

/** A process that replaces the document while the other program does may undo that one write. */
const MAX_LOST = 2;

/** The text of the other program stays in its document, and the document shows the session. */
function foreignViolations({ point, scene, foreign }: Facts): string[] {
  if (!foreign) return [];
  const { writes, lost, torn } = foreign;
  const isTorn = torn > 0 && point.document !== "in-place";
  return [
    ...(writes === 0 ? ["the other program never wrote its document"] : []),
    ...(lost > MAX_LOST ? [`P7: ${lost} of ${writes} writes of the other program were lost`] : []),
    ...(isTorn ? ["P7: the other program found a torn document"] : []),
    ...documentViolations(scene.sessionPath),
  ];
}

function outcomeViolations({ point, victim, others, next, signInAgain }: Facts): string[] {
  const judge = (who: string, outcomes: readonly string[], allowed: readonly string[]) =>
    outcomes.filter((outcome) => !allowed.includes(outcome)).map((outcome) => `${who}: ${outcome}`);
  const silent = (child: Facts["victim"], who: string) =>
    child.isLate || child.outcomes.length === 0 ? [`P15: ${who} did not finish in time`] : [];
  const look = (child: Facts["victim"], who: string, allowed: readonly string[]) => [
    ...judge(who, child.outcomes, allowed),
    ...(allowed.includes("gone") ? [] : silent(child, who)),
  ];
  const calls = next.outcomes.slice(next.outcomes[0] === "401" ? 1 : 0, signInAgain === undefined ? undefined : -1);
  return [
    ...look(victim, "the process with the fault", point.victim),
    ...others.flatMap((child, index) =>
      look(child, `process ${index + 2}`, (child.isHit ? point.second?.outcomes : undefined) ?? point.others),
    ),
    ...judge("the next process", calls, point.next),
    ...judge("signing in again", signInAgain === undefined ? [] : [signInAgain], OK),
    ...silent(next, "the next process"),
  ];
}

/** The next process refreshes once more: the living session, or the one that it signed in to again. */
function serverViolations({ point, scene, next, signInAgain }: Facts): string[] {
  const { tokenRequests, revokedGrants } = scene.server;
  const allowed = point.exchanges + (next.outcomes[0] === "200" || signInAgain !== undefined ? 1 : 0);
  return [
    ...(tokenRequests > allowed ? [`P4: ${tokenRequests} exchanges instead of at most ${allowed}`] : []),
    ...(revokedGrants > point.revoked ? [`P1: ${revokedGrants} grants revoked`] : []),
  ];
}

/** A refresh token is presented once; again only after an attempt recorded as lost (P1). */
function presentationViolations({ victim, others, next }: Facts): string[] {
  const lines = [victim, ...others, next].flatMap((child) => child.lines);
  const takeovers = new Set(
    lines.flatMap((line) => (line.type === "exchange" && line.afterLoss ? line.attemptId : [])),
  );
  const presented = lines.filter((line): line is Line & { type: "presented" } => line.type === "presented");
  const first = presented.filter((line) => !takeovers.has(line.attemptId)).map((line) => line.digest);
  const again = new Set(first.filter((digest, index) => first.indexOf(digest) !== index));
  return [...again].map((digest) => `P1: the refresh token ${digest.slice(0, 8)}… was presented twice as new`);
}

/**
 * Old generations are collected; a draft and a projection remain only if their writer was killed. Of the marks of session
 * files, only that of the current file and those of remaining projections are left.
 */
function leftOverViolations({ point, scene, others }: Facts): string[] {
  const names = listed(scene.chain);
  const temporary = names.filter((name) => /^(draft|projection)-[0-9a-f]+$/.test(name));
  const generations = names.filter((name) => /^\d+$/.test(name));
  const marks = names.filter((name) => /^known-[\w-]+\.(held-)?projection-[0-9a-f]+$/.test(name));
  const outdated = marks.filter((name) => !names.includes(name.slice(name.indexOf("projection-"))));
  // A file that was replaced is removed two seconds later, or after a minute by the next process that replaces one.
  const notes = names.filter((name) => /^(shown|replaced)-|\.(before|next)$/.test(name));
  // A process that ends before it has seen its session in the document leaves its announcement, for ten minutes at most.
  const maxAnnounced = 2 * (others.length + 2); // two sessions
  const announced = names.filter((name) => name.startsWith("writing-"));
  const known = new Set([...temporary, ...generations, ...marks, ...notes, ...announced, "lock", ".gitignore"]);
  const strange = names.filter((name) => !known.has(name));
  const kills = [point.fault, point.second?.fault].filter((fault) => fault?.endsWith("kill")).length;
  const beside = listed(scene.root, "home").filter(
    (name) => !/^\.?(session|settings)\.json/.test(name) && name !== "filler",
  );
  return [
    ...(temporary.length > 2 * kills ? [`left over: ${temporary.join(", ")}`] : []),
    ...(announced.length > maxAnnounced ? [`left over: ${announced.join(", ")}`] : []),
    ...(outdated.length > 1 ? [`left over: ${outdated.join(", ")}`] : []),
    ...(generations.length > 3 ? [`left over: generations ${generations.join(", ")}`] : []),
    ...[...strange, ...beside].map((name) => `left over: ${name}`),
  ];
}

function listed(...path: string[]): string[] {
  try {
    return readdirSync(path.join("/"));
  } catch {
    return []; // the fault removed it
  }
}

/** No process writes a token (P8). */
function secretViolations({ scene, victim, others, next }: Facts): string[] {
  const printed = [victim, ...others, next].map((child) => child.printed).join("\n");
  const leaks = [...scene.tokens].filter((token) => printed.includes(token));
  return leaks.map(() => "P8: a token was printed");
}
