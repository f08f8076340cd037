import type { SessionAccess, SessionView } from "../util/session-access.ts";
import type { Driver } from "./driver.ts";
import { isRefreshTokenDue } from "./keep-alive.ts";
import { viewOf } from "./session.ts";

/** The access of pools, and of the sessions of a server, to a manager. */
export class DriverAccess implements SessionAccess {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  view(): SessionView | undefined {
    return viewOf(this.#driver.session, this.#driver.context());
  }

  load(): Promise<void> {
    return this.#driver.load();
  }

  look(): void {
    this.#driver.look();
  }

  isIdle(): boolean {
    return this.#driver.isIdle;
  }

  async renewIfDue(): Promise<void> {
    await this.#driver.load();
    if (isRefreshTokenDue(this.#driver.session, this.#driver.context())) await this.#driver.renewBeforeExpiry();
  }
}
