/** Compares docs/errors.md with the notes on error codes (error-notes.ts), or writes the page (`--update`). */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DeadReason, SignInRequiredError } from "../packages/core/src/index.ts";
import {
  codes,
  keychainReasons,
  type Note,
  refreshFailedReasons,
  signInFailedReasons,
  signInReasons,
} from "./error-notes.ts";
import { finish, root } from "./workspace.ts";

const HEAD = `# Errors

<!-- Written by \`pnpm errors:update\` from scripts/error-notes.ts. Edit that file, not this page. -->

Every error that the library throws on its own account extends \`UnexpiredError\` and has a \`code\`. Narrow on it:
\`UnexpiredError.is(error)\` also recognizes errors of another copy of the package, which \`instanceof\` does not. No error
holds a token, in its message or anywhere else. An invalid option, or a call after \`close()\`, is a \`TypeError\`.`;

type Notes<N extends Note> = Readonly<Record<string, N>>;

const entry = ({ cause, remedy }: Note): string => `**Cause.** ${cause}\n\n**Remedy.** ${remedy}`;

const section = <N extends Note>(level: string, notes: Notes<N>, lead: (name: string, note: N) => string): string[] =>
  Object.entries(notes).map(([name, note]) => `${level} \`${name}\`\n\n${lead(name, note)}\n\n${entry(note)}`);

const errorsPage = (): string =>
  [
    HEAD,
    "## Codes",
    ...section("###", codes, (_, { error }) => `\`${error}\``),
    "## Reasons of `SignInRequiredError`",
    ...section("###", signInReasons, (name) => `> ${new SignInRequiredError(name as DeadReason).message}`),
    "## Reasons of `RefreshFailedError`",
    ...section("###", refreshFailedReasons, () => "Code `REFRESH_FAILED`"),
    "## Reasons of `SignInFailedError`",
    ...section("###", signInFailedReasons, () => "Code `SIGN_IN_FAILED`"),
    "## Reasons of `KeychainError`",
    "`KeychainError` is the `StoreError` of `@unexpired/store-keychain`.",
    ...section("###", keychainReasons, (_, { code }) => `Code \`${code}\``),
  ].join("\n\n");

const file = join(root, "docs/errors.md");
const page = `${errorsPage()}\n`;

if (process.argv.includes("--update")) {
  writeFileSync(file, page);
} else {
  const isCurrent = readFileSync(file, "utf8").replaceAll("\r\n", "\n") === page;
  finish("errors", isCurrent ? [] : ["docs/errors.md is out of date; run pnpm errors:update, and review its changes"]);
}
