const KEPT = 100;

/** Remembers whose the latest access tokens are, for sources that combine others: a response to one may be late. */
export class ServedTokens<Owner> {
  readonly #owners = new Map<string, Owner>();

  add(accessToken: string, owner: Owner): void {
    this.#owners.delete(accessToken); // the newest one comes last
    this.#owners.set(accessToken, owner);
    const [oldest] = this.#owners.keys();
    if (this.#owners.size > KEPT && oldest !== undefined) this.#owners.delete(oldest);
  }

  ownerOf(accessToken: string): Owner | undefined {
    return this.#owners.get(accessToken);
  }
}
