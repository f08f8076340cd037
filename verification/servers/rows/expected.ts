/** The right values that many rows share. */
import type { Expected } from "../row.ts";

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const SAME = "; a request: the same \\(all four\\)$";
const OK = "; a request: 200 \\(all four\\)$";

/** The session has ended. `said`: what the caller learns about the response. */
export const ends = (reason: string, said: string): Expected => ({
  happened: new RegExp(`^dead: ${reason}$`),
  saw: new RegExp(`^(SIGN_IN_REQUIRED ${reason} \\(${escaped(said)}\\); ){2}1 exchange${SAME}`),
});

/** The session has ended, but its refresh token is kept. */
export const endsAndKeeps = (reason: string, said: string): Expected => ({
  ...ends(reason, said),
  happened: new RegExp(`^dead: ${reason}, keeps the refresh token( and the access token)?$`),
});

/** The server did not process the request: the next one, after the back-off, succeeds. */
export const backsOff = (said: string, seconds = 1): Expected => ({
  happened: new RegExp(`^transient, next try in ${seconds} s$`),
  saw: new RegExp(
    `^REFRESH_FAILED endpoint \\(${escaped(said)}\\); a token; 2 exchanges, 2 with the same token${SAME}`,
  ),
});

/** The server rejected the client. The next request, after the back-off, succeeds. */
export const isMisconfigured = (said: string): Expected => ({
  happened: /^misconfigured, next try in 1 s$/,
  saw: new RegExp(`^CONFIGURATION \\(${escaped(said)}\\); a token; 2 exchanges, 2 with the same token${SAME}`),
});

/** The response is lost, and the access token has expired: after the back-off, the server refuses the old token. */
export const isLost = (said: string): Expected => ({
  happened: /^lost, next try in 1 s$/,
  saw: new RegExp(
    `^REFRESH_FAILED endpoint \\(${escaped(said)}\\); SIGN_IN_REQUIRED response_lost \\(HTTP 400 invalid_grant .*\\); 2 exchanges, 2 with the same token, session revoked${SAME}`,
  ),
});

/** The response is lost, and the access token is usable: it is used on, and nothing is presented a second time. */
export const isLostButUsable = (said: string): Expected => ({
  happened: /^lost, next try in 1 s$/,
  saw: new RegExp(`^(REFRESH_FAILED endpoint \\(${escaped(said)}\\); ){2}a token; 1 exchange${OK}`),
});

/** A refusal while the access token is usable: it is used on. */
export const endsButUsable = (reason: string, said: string): Expected => ({
  happened: new RegExp(`^dead: ${reason}, keeps .*the access token$`),
  saw: new RegExp(`^SIGN_IN_REQUIRED ${reason} \\(${escaped(said)}\\); .*a token; .*${OK}`),
});

/** The session is renewed. */
export const isRenewed: Expected = {
  happened: /^rotated$/,
  saw: new RegExp(`^a token; .*1 exchange${OK}`),
};
