import type { TokenSetInput } from "@unexpired/core";

/** A `SignInFlow` of the core, which can also be called without a signal. */
export type SignIn = (context?: { readonly signal?: AbortSignal | undefined }) => Promise<TokenSetInput>;
