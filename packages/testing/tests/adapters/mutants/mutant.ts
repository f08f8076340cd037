import type { TokenManager } from "@unexpired/core";
import type { ResponseInfo } from "@unexpired/core/adapter";
import type { ClientSetup } from "../../../src/index.ts";
import type { MutantInfo } from "../../describe-mutants.ts";
import { type Attempt, ReferenceClient } from "../reference-client.ts";

/** A client whose adapter has one fault. */
export interface Mutant extends MutantInfo {
  readonly Client: new (setup: ClientSetup) => ReferenceClient;
}

/** A client that calls the token manager directly, for mutants that bypass the authorizer. */
export class ManagedClient extends ReferenceClient {
  protected get tokens(): TokenManager {
    return this.setup.tokens as TokenManager;
  }

  protected async refresh(): Promise<string> {
    return `Bearer ${(await this.tokens.refresh()).accessToken}`;
  }
}

/** Changes the response information that the authorizer receives. */
export const withResponseInfo = (change: (info: ResponseInfo<Response>) => Partial<ResponseInfo<Response>>) =>
  class extends ReferenceClient {
    protected override responseInfo(attempt: Attempt) {
      const info = super.responseInfo(attempt);
      return { ...info, ...change(info) };
    }
  };
