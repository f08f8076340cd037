import type { TokenManager } from "@unexpired/core";
import type { Answer } from "@unexpired/core/adapter";
import type { Clause, ClientSetup } from "../../../src/index.ts";
import { ReferenceClient, type Tried } from "../reference-client.ts";

/** A client whose adapter has one fault. */
export interface Mutant {
  /** The fault: what the adapter does. */
  readonly name: string;
  /** The name of the case that finds it. */
  readonly caughtBy: string;
  readonly clause: Clause;
  /** A part of what the author is told. */
  readonly says: string;
  readonly Client: new (setup: ClientSetup) => ReferenceClient;
}

/** For faults that go past the authorizer. */
export class ManagedClient extends ReferenceClient {
  protected get tokens(): TokenManager {
    return this.setup.tokens as TokenManager;
  }

  protected async refresh(): Promise<string> {
    return `Bearer ${(await this.tokens.refresh()).accessToken}`;
  }
}

/** The policy is told another answer. */
export const told = (change: (answer: Answer<Response>) => Partial<Answer<Response>>) =>
  class extends ReferenceClient {
    protected override answer(tried: Tried) {
      const answer = super.answer(tried);
      return { ...answer, ...change(answer) };
    }
  };
