import { createTokenManager } from "@unexpired/core";
import { oauth2Refresh } from "@unexpired/core/oauth2";
import { fileStore } from "@unexpired/store-node";
import type { Caller } from "./caller.ts";
import { attachedCall } from "./clients.ts";
import type { WorkerConfig } from "./messages.ts";

/** A token manager over the shared session file, attached to one HTTP client. */
export async function unexpiredCaller(config: WorkerConfig, onChange: () => void): Promise<Caller> {
  const { tokenEndpoint, clientId } = config;
  const tokens = createTokenManager({
    store: fileStore({ path: config.sessionPath }),
    refresh: oauth2Refresh({ tokenEndpoint, clientId }),
  });
  const call = await attachedCall[config.client](tokens, config.apiOrigin);
  let exchanges = 0;
  tokens.subscribe((event) => {
    if (event.type === "exchange-started") exchanges += 1;
    onChange();
  });
  return {
    call,
    get status() {
      return tokens.state?.status ?? "starting";
    },
    get exchanges() {
      return exchanges;
    },
    get idle() {
      const status = tokens.state?.status;
      return status === "valid" || status === "dead";
    },
    close: () => tokens.close(),
  };
}
