import type { TokenManager } from "@unexpired/core";
import type { ResponseInfo } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import type { MutantInfo } from "../../describe-mutants.ts";
import { type Attempt, ReferenceClient } from "../reference-client.ts";

/** A client whose adapter has one fault. */
export interface Mutant extends MutantInfo {
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
export const withResponseInfo = (change: (answer: ResponseInfo<Response>) => Partial<ResponseInfo<Response>>) =>
  class extends ReferenceClient {
    protected override responseInfo(tried: Attempt) {
      const answer = super.responseInfo(tried);
      return { ...answer, ...change(answer) };
    }
  };
