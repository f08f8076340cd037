import { type SessionFormat, StoreError } from "@unexpired/core";

const LINE = /^((?:export )?API_TOKEN=)(.*?)(?=[ \t]*$)/m;

/** The format of an access token in a `.env` file: the line `API_TOKEN=…`. */
export const envFormat: SessionFormat = {
  key: "API_TOKEN",

  parse(text) {
    const accessToken = LINE.exec(text)?.[2];
    if (!accessToken) return undefined;
    assertPlain(accessToken);
    return { tokens: { accessToken } };
  },

  print(session, found) {
    const token = session?.tokens.accessToken ?? "";
    if (token !== "") assertPlain(token);
    if (found === undefined || !LINE.test(found)) return token === "" ? found : append(found ?? "", token);
    envFormat.parse(found); // throws if the line is unreadable
    return found.replace(LINE, (_, name: string) => name + token);
  },

  discard: (found) => found.replace(LINE, "$1"),
};

const append = (text: string, token: string): string =>
  `${text}${text === "" || text.endsWith("\n") ? "" : "\n"}API_TOKEN=${token}\n`;

function assertPlain(value: string): void {
  if (/^[\w.~+/=-]+$/.test(value)) return;
  throw new StoreError("STORE_UNREADABLE", {
    location: "API_TOKEN",
    problem: "contains a character that needs quotes",
    hint: "Remove the quotes, or use another token.",
  });
}
