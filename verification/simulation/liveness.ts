import { UnexpiredError } from "@unexpired/core";
import { tryParseRecord } from "../../packages/core/src/record/record.ts";
import { HOLD } from "../../packages/core/src/refresh/attempt-tracker.ts";
import { FileWorld } from "./file-world.ts";
import { Program } from "./program.ts";
import { WILLING } from "./users.ts";
import type { World } from "./world.ts";

const TRIES = 8;
const PATIENCE = 30_000;
const LONG_TRIES = (2 * HOLD) / PATIENCE;
const PROMPTS = 40; // users who never respond, one after the other
const SIGN_INS = 12; // a claim that is left is valid for five minutes
const SETTLING = 100_000; // a slow call in flight, a lease of 40 s, an exchange of 30 s

/** P15: once the faults have ended, every pending call settles, and every new caller gets a token or has to sign in. */
export async function checkLiveness(
  world: World,
  programs: readonly Program[],
  pass: (span: number) => Promise<void>,
): Promise<void> {
  world.note("", "--- no more faults");
  await pass(SETTLING);
  for (let tries = 0; tries < PROMPTS && world.invariants.prompts.isAsking; tries++) await pass(SETTLING);
  world.invariants.callers.checkEnd();
  const open = programs.filter(({ isClosed, process }) => !isClosed && process.state !== "dead");
  const all = [...open, new Program(world, 0)];
  for (const program of all) if (!world.invariants.violation) await serve(world, program, pass);
  if (world.options.hasUsers) await checkSignIn(world, all, pass);
  if (world.store instanceof FileWorld) await checkRepair(world, world.store, pass);
}

/** P5: whatever happened to the session file, a process repairs it that loads it twice, more than a second apart. */
async function checkRepair(world: World, store: FileWorld, pass: (span: number) => Promise<void>): Promise<void> {
  const process = world.spawn(0);
  const { load } = store.storeFor(process);
  const tryLoad = () => load().catch(() => undefined);
  let found: Awaited<ReturnType<typeof tryLoad>>;
  process.later("load", () => void tryLoad());
  await pass(PATIENCE);
  process.later("load again", () => {
    void tryLoad().then((stored) => {
      found = stored;
    });
  });
  await pass(PATIENCE);
  const isOurs = /^[1-9]\d*-[0-9a-f]+$/.test(found?.version ?? ""); // otherwise another program wrote the session
  const text = () => "the faults have ended, and the session file is not repaired";
  world.invariants.require(!isOurs || store.isProjected, "P5", text);
}

/** P15: if all programs sign in with a flow, and their users are willing, all calls settle once every claim has ended. */
async function checkSignIn(
  world: World,
  programs: readonly Program[],
  pass: (span: number) => Promise<void>,
): Promise<void> {
  const { callers, prompts } = world.invariants;
  for (const program of programs)
    program.process.later(
      "final sign-in",
      () => void program.signInWith(WILLING).then(() => checkSignedIn(world, program)),
    );
  await pass(PATIENCE);
  for (let tries = 0; tries < SIGN_INS && prompts.isAsking; tries++) await pass(PATIENCE);
  callers.checkEnd();
}

/** A program whose user is willing is signed in, unless the store does not let it. */
function checkSignedIn(world: World, program: Program): void {
  const { error, process } = program;
  const isLost = world.store instanceof FileWorld && world.store.isLost;
  const isHomeless = isLost && UnexpiredError.is(error) && error.code === "STORE_UNAVAILABLE"; // I14
  const isSignedIn = error === undefined || isTorn(world, program) || isHomeless;
  const text = () => `the faults have ended, and ${process.name} cannot sign in: ${String(error)}`;
  world.invariants.require(isSignedIn, "P15", text);
}

async function serve(world: World, program: Program, pass: (span: number) => Promise<void>): Promise<void> {
  const { process } = program;
  for (let attempt = 0; attempt < (needsPatience(world, program) ? LONG_TRIES : TRIES); attempt++) {
    let isServed = false;
    process.later("final call", () => {
      void askUntilAccepted(world, program).then((served) => {
        isServed = served;
      });
    });
    await pass(PATIENCE);
    if (world.invariants.violation) return;
    world.invariants.callers.checkEnd();
    if (isServed) return;
  }
  const text = program.error instanceof Error ? program.error.message : "tokens that the API rejects";
  world.invariants.break("P15", `the faults have ended, and ${process.name} still gets: ${text}`);
}

async function askUntilAccepted(world: World, program: Program): Promise<boolean> {
  const given = await program.get();
  if (given === undefined) return isExcused(world, program);
  if (world.server.accepts(given)) return true;
  const replaced = await program.replace(given);
  return replaced === undefined ? isExcused(world, program) : world.server.accepts(replaced);
}

/** Refusals without a reason end a session only after ten minutes. */
const needsPatience = (world: World, program: Program): boolean =>
  isHeldAgain(world, program) ||
  (!world.options.givesReasons && UnexpiredError.is(program.error) && program.error.code === "REFRESH_FAILED");

/**
 * Another program has put a session back after the exchange of its claim had ended: another living process keeps the
 * claim. The process that claimed knows how its attempt ended.
 */
const isHeldAgain = (world: World, { error, process }: Program): boolean => {
  const { records } = world.invariants;
  const isClaimed = UnexpiredError.is(error) && error.code === "REFRESH_FAILED" && error.reason === "claimed";
  const claimedBy = records.current?.attempt?.holder;
  return isClaimed && records.isRestored && claimedBy !== world.holderFor(process).holder?.id;
};

const isExcused = (world: World, program: Program): boolean =>
  isTorn(world, program) || isHomeless(world, program) || isSpentRestored(world, program) || mustSignIn(world, program);

/** Another program restored a spent session, and no process knows newer tokens to replace it with. */
function isSpentRestored({ invariants: { records } }: World, { error }: Program): boolean {
  const digest = records.digestOf(records.current);
  return UnexpiredError.is(error) && digest !== undefined && records.current?.spent.includes(digest) === true;
}

/** I14: a process that has seen a session that was lost with its directory gets an error, not a request to sign in. */
const isHomeless = ({ store }: World, { error }: Program): boolean =>
  UnexpiredError.is(error) &&
  error.code === "STORE_UNAVAILABLE" &&
  store instanceof FileWorld &&
  store.isLost &&
  store.truth() === undefined;

/** P7: a session file that is not valid JSON causes an error that names it, and is left alone. */
function isTorn(world: World, { error }: Program): boolean {
  return world.isTorn && UnexpiredError.is(error) && error.code === "STORE_UNREADABLE";
}

/** Another program has put another account's session into the session file, which no process has published yet. */
function isOtherAccountRestored({ store, invariants: { records } }: World): boolean {
  const found = store instanceof FileWorld ? tryParseRecord(store.disk.textOf(store.paths.file) ?? "") : undefined;
  return found?.tokens !== undefined && found.account !== records.current?.account;
}

/** A program has to sign in only if the record or a verdict requires it, or the session is another account's. */
function mustSignIn(world: World, { error, process }: Program): boolean {
  if (!UnexpiredError.is(error) || error.code !== "SIGN_IN_REQUIRED") return false;
  const { records, exchanges } = world.invariants;
  const record = records.current;
  const isJudged = exchanges.wasJudged(records.digestOf(record)) || world.options.afterLoss === "sign-in";
  const isSwitched = error.reason === "account_changed" || isOtherAccountRestored(world) || records.isRestored;
  const isOver = !record?.tokens || record.dead !== undefined || isJudged || isSwitched;
  world.invariants.require(
    isOver,
    "P15",
    () => `${process.name} is told to sign in (${error.reason}), but the session is alive`,
  );
  return true;
}
