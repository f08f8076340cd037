/** Every token of the tests has this in it, so that a check can look for it in all that was printed. */
export const CANARY = "canary-";

/** The n-th access token of a session: recognisable wherever it turns up. */
export const accessToken = (n: number, owner = ""): string => `${CANARY}${owner}access-${n}`;

/** The n-th refresh token of a session. */
export const refreshToken = (n: number, owner = ""): string => `${CANARY}${owner}refresh-${n}`;
