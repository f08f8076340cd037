import type { Backend, ServerConfig } from "./backend.ts";
import { unexpiredBackend } from "./unexpired-backend.ts";

/** Opens the backend of a server. */
export const openBackend = (config: ServerConfig): Backend => unexpiredBackend(config);
