import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { SignedIn } from "@unexpired-internal/stage/servers";

/** The file of another program, as it writes it: the session, and much else. */
const textOf = ({ accessToken, refreshToken, expiresAt }: SignedIn): string => `{
  "claudeAiOauth": {
    "accessToken": "${accessToken}",
    "refreshToken": "${refreshToken}",
    "expiresAt": ${expiresAt},
    "scopes": ["user:inference", "user:profile"],
    "subscriptionType": "max"
  },
  "mcpOAuth": {"linear|638130d5": {"serverName": "linear", "accessToken": "", "expiresAt": 0}},
      "organizationUuid": "97c5fb5a-3ab0-4b52-8ea2-0f1bd1ad54b3",
  "writes": 0
}
`;

/** The other program, which rewrites its file all the time, and has its own sign-ins and refreshes. */
export class CredentialsFile {
  readonly #path: string;
  readonly #other: string;
  /** The number of its writes, which is in the file, and how many of them it has missed later. */
  writes = 0;
  lost = 0;

  constructor(path: string, session: SignedIn) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true });
    this.#write(textOf(session));
    this.#other = this.#withoutSession();
  }

  get text(): string {
    return readFileSync(this.#path, "utf8");
  }

  get session(): SignedIn {
    return JSON.parse(this.text).claudeAiOauth;
  }

  /** Whether everything but the session is as the other program wrote it, byte for byte. */
  get isKept(): boolean {
    return this.#withoutSession() === this.#other;
  }

  /** Counts up the number of writes in the file. */
  rewrite(): void {
    const { text } = this;
    if (this.writes > 0 && !text.includes(`"writes": ${this.writes}\n`)) this.lost += 1;
    this.#write(text.replace(/"writes": \d+/, `"writes": ${this.writes + 1}`));
    this.writes += 1;
  }

  /** Writes tokens of the other program. */
  setSession({ accessToken, refreshToken, expiresAt }: SignedIn): void {
    const { session, text } = this;
    const written = text
      .replace(`"${session.accessToken}"`, `"${accessToken}"`)
      .replace(`"${session.refreshToken}"`, `"${refreshToken}"`)
      .replace(`${session.expiresAt}`, `${expiresAt}`);
    this.#write(written);
  }

  #withoutSession(): string {
    return this.text
      .replace(/"accessToken": ".+"/, "")
      .replace(/"refreshToken": ".+"/, "")
      .replace(/"expiresAt": [1-9]\d*/, "")
      .replace(/"writes": \d+/, "");
  }

  #write(text: string): void {
    writeFileSync(`${this.#path}.tmp`, text, { mode: 0o600 });
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}
