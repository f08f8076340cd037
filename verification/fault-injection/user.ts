import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Child } from "./child.ts";
import type { FaultPoint } from "./expectations.ts";
import type { Scene } from "./scene.ts";

const MOMENT = 300;
const LONGEST_WAIT = 30_000;
const LONGEST_ROUND = 600_000;

/** The user, who sees the prompts of all processes, and responds to each after a moment. */
export class User {
  readonly #scene: Scene;
  /** The digests of the refresh tokens that the server issued for the user's sign-ins. */
  readonly granted: string[] = [];

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Responds to each prompt of these processes, until they end. A user who refuses does so once all others wait for it. */
  attend(children: readonly Child[], { isRefused = false }: Pick<FaultPoint, "isRefused"> = {}): void {
    const respond = (child: Child) => (isRefused ? this.#refuse(child, children) : this.#grant(child));
    for (const child of children) void this.#attend(child, () => respond(child));
  }

  async #attend(child: Child, respond: () => Promise<void>): Promise<void> {
    for (let seen = 0; ; seen++) {
      await child.until(() => child.prompts > seen, LONGEST_ROUND);
      if (child.prompts <= seen) return;
      await respond();
    }
  }

  async #refuse(child: Child, children: readonly Child[]): Promise<void> {
    const isInformed = (other: Child) => other === child || other.isWaitingFor(child) || other.outcomes.length > 0;
    await Promise.all(children.map((other) => other.until(() => isInformed(other), LONGEST_WAIT)));
    child.order({ do: "respond", refreshToken: undefined });
  }

  async #grant(child: Child): Promise<void> {
    await sleep(MOMENT);
    if (child.hasEnded) return;
    const refreshToken = await this.#scene.server.mintRefreshToken();
    this.#scene.tokens.add(refreshToken);
    this.granted.push(createHash("sha256").update(refreshToken).digest("base64url"));
    child.order({ do: "respond", refreshToken });
  }
}
