const ESCAPE = "\u0010"; // never part of JSON text, so a session is stored as it is

/** Returns text without U+0000, which PostgreSQL cannot store. {@link decodeText} returns the original. */
export const encodeText = (text: string): string =>
  text.replaceAll(ESCAPE, `${ESCAPE}1`).replaceAll("\0", `${ESCAPE}0`);

/** Returns the text that {@link encodeText} has encoded. */
export const decodeText = (text: string): string =>
  text.replaceAll(`${ESCAPE}0`, "\0").replaceAll(`${ESCAPE}1`, ESCAPE);
