import type { SessionRecord } from "../../packages/core/src/record/record.ts";
import { readToken, shortRefresh, type Token } from "./tokens.ts";

/** Identifies a claim, even in a world in which processes draw the same IDs. */
export const claimKey = ({ id, holder }: { readonly id: string; readonly holder?: string | undefined }): string =>
  `${id} ${holder}`;

/** The refresh token that a record holds. */
export const tokenIn = ({ tokens }: SessionRecord): Token | undefined =>
  tokens?.refreshToken === undefined ? undefined : readToken(tokens.refreshToken);

/** The account of a record; a document does not name it. */
export const accountOf = (record: SessionRecord | undefined): string | undefined =>
  record?.account ?? (record?.tokens && readToken(record.tokens.accessToken).account);

export const isOlder = (next: Token, old: Token, orEqual: boolean): boolean =>
  next.number < old.number || (orEqual && next.number === old.number);

/** The name of a record in messages. */
export const nameOf = (record: SessionRecord | undefined): string => {
  const token = record && tokenIn(record);
  return token ? shortRefresh(token) : `a record without tokens (${record?.dead?.reason ?? "no verdict"})`;
};

/** Whether a verdict has taken the refresh token of a record away. */
export const hasTakenToken = ({ dead, tokens }: SessionRecord): boolean =>
  dead !== undefined && tokens?.refreshToken === undefined;
