import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { SignedIn } from "@unexpired-internal/stage/servers";
import { PROFILES } from "./settings.ts";

/** A profile's `auth.json`: the shared session is one entry among others. */
const authOf = (profile: string, { accessToken, refreshToken, expiresAt }: SignedIn): string => `{
  "version": 1,
  "active_profile": "${profile}",
  "credential_pool": {
    "anthropic": [
      {"id": "0a9c41", "label": "api key", "auth_type": "api_key", "access_token": "", "priority": 1},
      {
        "id": "34ee18",
        "label": "claude_code",
        "auth_type": "oauth",
        "access_token": "${accessToken}",
        "refresh_token": "${refreshToken}",
        "expires_at_ms": ${expiresAt},
        "request_count": 17
      }
    ],
    "openrouter": []
  }
}
`;

const credentialsOf = ({ accessToken, refreshToken, expiresAt }: SignedIn): string => `{
  "claudeAiOauth": {
    "accessToken": "${accessToken}",
    "refreshToken": "${refreshToken}",
    "expiresAt": ${expiresAt},
    "scopes": ["user:inference"]
  },
  "organizationUuid": "97c5fb5a-3ab0-4b52-8ea2-0f1bd1ad54b3"
}
`;

/** A file of another program that holds the shared session. */
export class SharedFile {
  readonly name: string;
  readonly #path: string;
  readonly #other: string;

  private constructor(path: string, text: string) {
    this.name = path;
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#write(text);
    this.#other = this.#withoutSession();
  }

  /** Writes the files of all profiles, and the credentials file, with one session. */
  static all(home: string, session: SignedIn): SharedFile[] {
    const profiles = PROFILES.map(
      (name) => new SharedFile(join(home, ".agents", name, "auth.json"), authOf(name, session)),
    );
    return [...profiles, new SharedFile(join(home, ".claude", ".credentials.json"), credentialsOf(session))];
  }

  get text(): string {
    return readFileSync(this.#path, "utf8");
  }

  get session(): SignedIn {
    const [accessToken, refreshToken, expiresAt] = SESSION.map((pattern) => pattern.exec(this.text)?.[1] ?? "");
    return { accessToken: accessToken ?? "", refreshToken: refreshToken ?? "", expiresAt: Number(expiresAt) };
  }

  /** Whether everything but the session is as the other program wrote it, byte for byte. */
  get isKept(): boolean {
    return this.#withoutSession() === this.#other;
  }

  /** Writes tokens of the other program. */
  setSession(tokens: SignedIn): void {
    const { session, text } = this;
    const names = ["accessToken", "refreshToken", "expiresAt"] as const;
    this.#write(names.reduce((written, name) => written.replace(String(session[name]), String(tokens[name])), text));
  }

  #withoutSession(): string {
    return SESSION.reduce((text, pattern) => text.replace(pattern, ""), this.text);
  }

  #write(text: string): void {
    writeFileSync(`${this.#path}.tmp`, text, { mode: 0o600 });
    renameSync(`${this.#path}.tmp`, this.#path);
  }
}

const SESSION = [/"access_?[tT]oken": "([^"]+)"/, /"refresh_?[tT]oken": "([^"]+)"/, /"expires(?:At|_at_ms)": (\d+)/];
