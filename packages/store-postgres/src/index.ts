export { type PostgresKeysOptions, postgresKeys } from "./keys.ts";
export { type MigrateOptions, migrate } from "./migrate.ts";
export {
  type Listen,
  type ListenHandlers,
  type PostgresNotifications,
  type PostgresNotificationsOptions,
  postgresNotifications,
} from "./notifications.ts";
export { type PostgresStoreOptions, postgresStore } from "./postgres-store.ts";
export type { Query, Row } from "./query.ts";
