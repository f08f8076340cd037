import type { SimulatedProcess } from "./process.ts";

/** One call of a program to its token manager. */
export interface Call {
  readonly process: SimulatedProcess;
  readonly kind:
    | "get"
    | "get, impatient"
    | "replace"
    | "refresh"
    | "signIn"
    | "signInWith"
    | "adopt"
    | "signOut"
    | "close";
  /** The access token that was rejected, or that the program signs in with, as soon as it has it. */
  accessToken?: string | undefined;
  /** The result of `signInWith`: whether its own flow started the session. */
  isStarter?: boolean;
  readonly startedAt: number;
  /** Whether the manager had not seen the session before the call. */
  readonly isFirst: boolean;
}

/** Whether a call stores the tokens of a sign-in. That of a flow does so once the flow has returned them. */
export const isSignIn = ({ kind, accessToken }: Call): boolean =>
  kind === "signIn" || (kind === "signInWith" && accessToken !== undefined);

/** The abort reason of an impatient caller. */
export const IMPATIENT = new Error("impatient");
