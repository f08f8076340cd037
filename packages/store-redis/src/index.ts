export type { Subscribe, SubscribeHandlers } from "./notifications.ts";
export type { Evaluate } from "./redis-store.ts";
export { type RedisStores, type RedisStoresOptions, redisStores } from "./redis-stores.ts";
export type { Scan } from "./scan.ts";
