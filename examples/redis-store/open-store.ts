import type { OpenStore } from "@unexpired/testing";
import { type RedisStoreOptions, redisStore } from "./redis-store.ts";

export const openStore: OpenStore<RedisStoreOptions> = (options) => redisStore(options);
