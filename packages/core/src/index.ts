export type { Origins } from "./authorize.ts";
export {
  type AnyUnexpiredError,
  ConfigurationError,
  type ErrorCode,
  isAuthError,
  RefreshFailedError,
  SignInRequiredError,
  StoreConflictError,
  StoreError,
  TokenEndpointError,
  UnexpiredError,
} from "./errors.ts";
export { createFetch, type FetchOptions } from "./fetch.ts";
export { fromKeyValue, type KeyValue, type KeyValueOptions, type KeyValueStore } from "./key-value.ts";
export { createTokenManager } from "./manager.ts";
export { memoryStore } from "./memory-store.ts";
export { perRequest, type RequestSettings, type SettingsOfRequest } from "./per-request.ts";
export { reconcile } from "./record/reconcile.ts";
export { providers } from "./token-endpoint/providers.ts";
export { tokenSetFromResponse } from "./token-set.ts";
export type {
  CallOptions,
  Clock,
  DeadReason,
  ProviderProfile,
  RefreshContext,
  RefreshFunction,
  SessionEvent,
  SessionState,
  SignOutOptions,
  StoredValue,
  TokenManager,
  TokenManagerOptions,
  TokenResponse,
  TokenSet,
  TokenSetInput,
  TokenSource,
  TokenStore,
} from "./types.ts";
