/** The text of errors and events, in every process. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { SessionEvent } from "@unexpired/core";
import { describeMessage, outcome } from "../describe.ts";
import type { Row } from "../row.ts";
import type { Scene, SessionOptions } from "../scene.ts";
import type { Reply } from "../token-server.ts";

const ROOT = join(import.meta.dirname, "../../..");
const REFUSED: Reply = { status: 400, body: { error: "invalid_grant", error_description: "Token has been revoked" } };
const BUSY: Reply = { status: 429, body: { error: "slow_down", error_description: "Too many requests" } };

const messageRow = (situation: string, reply: Reply, saw: RegExp): Row => ({
  situation: `the message for ${situation}`,
  expected: { happened: "1 exchange", saw },
  async run(scene) {
    const session = await scene.session();
    session.server.next(reply);
    return { saw: await outcome(session.tokens.getAccessToken(), describeMessage), happened: session.server.exchanges };
  },
});

/** Sessions in a file, with the system clock: a second process opens the file by itself. */
const inFile = ({ packed, directory }: Scene): SessionOptions & { readonly open: () => SessionOptions["manager"] } => {
  const open = () => ({ store: packed.storeNode.fileStore({ path: join(directory, "session.json") }), clock: {} });
  return { manager: open(), open };
};

/** A row about the error in the process that exchanged, in one that waited, and in one that starts afterwards. */
const sharedRow = (situation: string, reply: Reply, said: string): Row => ({
  situation: `${situation}: here, in a process that only waited, and in one that starts afterwards`,
  expected: { happened: "1 exchange", saw: new RegExp(`^${said}; the same; the same$`) },
  async run(scene) {
    const { open, ...options } = inFile(scene);
    const session = await scene.session(options);
    session.server.next(reply);
    const waiting = session.open(open());
    const [first, second] = await Promise.all([
      outcome(session.tokens.getAccessToken()),
      outcome(waiting.getAccessToken()),
    ]);
    const third = await outcome(session.open(open()).getAccessToken());
    const rest = [second, third].map((each) => (each === first ? "the same" : each));
    return { happened: session.server.exchanges, saw: [first, ...rest].join("; ") };
  },
});

const eventRow = (situation: string, reply: Reply | undefined, saw: RegExp): Row => ({
  situation: `the events of ${situation}`,
  expected: { happened: "1 exchange", saw },
  async run(scene) {
    const session = await scene.session();
    const events: SessionEvent[] = [];
    session.tokens.subscribe((event) => events.push(event));
    if (reply) session.server.next(reply);
    await outcome(session.tokens.getAccessToken());
    return { happened: session.server.exchanges, saw: events.map(describeEvent).join("; ") };
  },
});

function describeEvent(event: SessionEvent): string {
  const cause = "cause" in event && event.cause ? ` ${JSON.stringify(event.cause)}` : "";
  if (event.type !== "refreshed") return `${event.type}${cause}`;
  return `refreshed in ${Number.isInteger(event.duration) ? "whole" : "fractions of"} milliseconds`;
}

const textOf = (...path: string[]): string => readFileSync(join(ROOT, ...path), "utf8");

/** The names that a declaration of the sources lists. */
const namesIn = (text: string, from: string, pattern: RegExp): string[] => {
  const declaration = text.slice(text.indexOf(from)).split(";\n\n", 1)[0] ?? "";
  return [...declaration.matchAll(pattern)].map(([, name = ""]) => name);
};

/** Every page of the documentation, and every README. */
function pages(): Map<string, string> {
  const folders = [[], ["docs"], ...readdirSync(join(ROOT, "packages")).map((name) => ["packages", name])];
  return new Map(
    folders.flatMap((folder) =>
      readdirSync(join(ROOT, ...folder))
        .filter((name) => name.endsWith(".md") && name !== "api.md" && name !== "CHANGELOG.md")
        .map((name) => [[...folder, name].join("/"), textOf(...folder, name)] as const),
    ),
  );
}

const documentation: readonly Row[] = [
  {
    situation: "every reason, event and code has a line in the documentation",
    expected: { happened: /^\d\d names$/, saw: "missing: none" },
    async run() {
      const types = textOf("packages/core/src/types.ts");
      const names = [
        ...namesIn(types, "export type DeadReason", /"(\w+)"/g),
        ...namesIn(types, "export type SessionEvent", /readonly type: "([\w-]+)"/g),
        ...namesIn(textOf("packages/core/src/errors.ts"), "export type ErrorCode", /"(\w+)"/g),
      ];
      const all = [...pages().values()].join();
      const missing = names.filter((name) => !all.includes(`\`${name}\``));
      return { happened: `${names.length} names`, saw: `missing: ${missing.join(", ") || "none"}` };
    },
  },
  {
    situation: '"none yet" in the READMEs and the documentation',
    expected: { happened: /^\d\d pages$/, saw: "found in: none" },
    async run() {
      const all = pages();
      const found = [...all].filter(([, text]) => text.includes("none yet")).map(([name]) => name);
      return { happened: `${all.size} pages`, saw: `found in: ${found.join(", ") || "none"}` };
    },
  },
];

export const messageRows: readonly Row[] = [
  messageRow(
    "200 with HTML",
    { rotates: true, body: "<html></html>" },
    /^REFRESH_FAILED .*responded with HTTP 200, no access_token/,
  ),
  messageRow(
    "a refresh_token without an access_token",
    { rotates: true, body: ({ refreshToken }) => ({ refresh_token: refreshToken }) },
    /^CONFIGURATION .*no access_token, but a new refresh token, which was kept\. Request a scope of an API/,
  ),
  messageRow("400 with nothing", { status: 400 }, /^REFRESH_FAILED (?!.*(untouched|unchanged|intact|kept))/),
  messageRow(
    "a redirect",
    { status: 301, headers: { location: "https://as.example/token/?key=1" } },
    /^CONFIGURATION .*redirects to https:\/\/as\.example\/token\/\. Use the URL that it redirects to, if that is a token endpoint\./,
  ),
  messageRow(
    "interaction_required",
    { status: 400, body: { error: "interaction_required" } },
    /^SIGN_IN_REQUIRED .*the server wants the user to interact/,
  ),
  sharedRow(
    "400 invalid_grant",
    REFUSED,
    'SIGN_IN_REQUIRED revoked \\(HTTP 400 invalid_grant "Token has been revoked"\\)',
  ),
  sharedRow("429 slow_down", BUSY, 'REFRESH_FAILED endpoint \\(HTTP 429 slow_down "Too many requests"\\)'),
  eventRow("a refresh", undefined, /refreshed in whole milliseconds/),
  eventRow(
    "400 invalid_grant",
    REFUSED,
    /state-changed {"status":400,"error":"invalid_grant","description":"Token has been revoked"}/,
  ),
  eventRow("429", BUSY, /refresh-failed {"status":429,"error":"slow_down","description":"Too many requests"}/),
  ...documentation,
];
