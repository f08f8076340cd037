import { SignInFailedError, type SignInFlow, type TokenSetInput } from "@unexpired/core";
import type { Call } from "./calls.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

/** A user who is asked to sign in, and the patience of the program that asks. */
export interface User {
  readonly account: string;
  readonly reaction: "signs in" | "refuses" | "never responds" | "has no free port" | "has no browser";
  /** After how many milliseconds. */
  readonly after: number;
  /** After how many milliseconds the program aborts its call; `undefined` if it does not. */
  readonly patience: number | undefined;
}

const REACTIONS: readonly User["reaction"][] = [
  ...Array.from({ length: 7 }, () => "signs in" as const),
  "refuses",
  "refuses",
  "never responds",
  "has no free port",
  "has no browser",
];
const THOUGHTS = [300, 10, 1_000, 3_000, 8_000, 30_000];
const TIMEOUTS = [120_000, 120_000, 120_000, 120_000, 400_000]; // the last one is longer than a claim is valid
const PATIENCE = [undefined, undefined, undefined, undefined, undefined, 10, 2_000, 60_000];

/** Draws a user. The calmest one signs in. */
export function drawUser(random: Random): User {
  const account = random.pick("user", ["A", "A", "B"]);
  const reaction = random.pick("user", REACTIONS);
  const [thought, timeout] = [random.pick("user", THOUGHTS), random.pick("user", TIMEOUTS)];
  const patience = PATIENCE[random.choose("user", PATIENCE.length)];
  return { account, reaction, after: reaction === "never responds" ? timeout : thought, patience };
}

/** A user who signs in at once. */
export const WILLING: User = { account: "A", reaction: "signs in", after: 100, patience: undefined };

/** Returns a flow that asks this user. */
export function flowOf(world: World, call: Call, user: User): SignInFlow {
  const { process } = call;
  const { callers, prompts } = world.invariants;
  const signIn = () => {
    const tokens = world.server.signIn(user.account, process.clock.now());
    callers.onIssued(tokens.accessToken, { isExpiryKnown: true });
    callers.onTokens(call, tokens.accessToken);
    return tokens;
  };
  return ({ signal }) => {
    prompts.onFlow(call);
    world.note(process.name, "  asks its user");
    return new Promise<TokenSetInput>((resolve, reject) => {
      let isOver = false;
      const fail = (error: unknown) => {
        if (!isOver) prompts.onFailure(call, error);
        isOver = true;
        reject(error);
      };
      const react = () => {
        if (isOver) return;
        if (user.reaction !== "signs in") return fail(failureOf(user));
        isOver = true;
        resolve(signIn());
      };
      process.later(`the user ${user.reaction}`, react, user.after);
      signal.addEventListener("abort", () => fail(signal.reason));
    });
  };
}

function failureOf({ reaction }: User): Error {
  switch (reaction) {
    case "refuses":
      return new SignInFailedError("refused");
    case "never responds":
      return new SignInFailedError("timeout");
    case "has no free port":
      return new SignInFailedError("port_in_use");
    default:
      return new Error("There is no browser.");
  }
}
