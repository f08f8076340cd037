import type { Backend, ServerConfig } from "./backend.ts";
import { LockBackend } from "./lock-backend.ts";
import { unexpiredBackend } from "./unexpired-backend.ts";

/** Opens the backend of a server. */
export const openBackend = (config: ServerConfig): Backend =>
  config.backend === "lock" ? new LockBackend(config) : unexpiredBackend(config);
