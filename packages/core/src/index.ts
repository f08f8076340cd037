export {
  type AnyUnexpiredError,
  ConfigurationError,
  type ErrorCode,
  RefreshFailedError,
  SignInFailedError,
  type SignInFailedReason,
  SignInRequiredError,
  StoreConflictError,
  StoreError,
  TokenEndpointError,
  UnexpiredError,
} from "./errors.ts";
export { authErrorOf, isAuthError } from "./http/auth-error.ts";
export { createFetch, type FetchOptions } from "./http/fetch.ts";
export type { Origins } from "./http/origins.ts";
export { perRequest, type RequestTokenOptions, type WithRequestOptions } from "./http/per-request.ts";
export { createTokenManager } from "./manager/token-manager.ts";
export type { EntryStatus, PoolStatus } from "./pool/status.ts";
export { createTokenPool, type TokenPool, type TokenPoolOptions } from "./pool/token-pool.ts";
export { describeRecord, type RecordDescription } from "./record/description.ts";
export { type EnvelopeKeysOptions, envelopeKeys } from "./sealing/envelope-keys.ts";
export { type KeyRing, keyRing, type SealingKey } from "./sealing/key-ring.ts";
export { type SealedOptions, sealed } from "./sealing/sealed.ts";
export type { FormattedSession, ParsedSession, SessionFormat } from "./session-format.ts";
export { createSessions } from "./sessions/create-sessions.ts";
export type { KeepAliveOptions, Session, Sessions, SessionsEvent, SessionsOptions } from "./sessions/types.ts";
export { contextual } from "./sources/contextual.ts";
export { type EnvTokenOptions, envToken } from "./sources/env-token.ts";
export { type FirstAvailableSource, firstAvailable } from "./sources/first-available.ts";
export { type OnTokenOptions, onToken } from "./sources/on-token.ts";
export { type StaticTokenOptions, staticToken } from "./sources/static-token.ts";
export { type WithTokenOptions, withToken } from "./sources/with-token.ts";
export { fromKeyValue, type KeyValue, type KeyValueOptions, type KeyValueStore } from "./stores/key-value-store.ts";
export { memoryStore } from "./stores/memory-store.ts";
export { providers } from "./token-endpoint/providers.ts";
export { isUnsent } from "./token-endpoint/unsent.ts";
export { tokenSetFromResponse } from "./tokens/token-set.ts";
export type {
  CallOptions,
  Clock,
  CooldownReason,
  DeadReason,
  EndpointResponse,
  GetTokenOptions,
  NamedTokenSource,
  ParsedTokens,
  ProviderProfile,
  RefreshContext,
  RefreshFunction,
  RejectingResponse,
  RejectionOptions,
  ResponsePattern,
  SessionEvent,
  SessionInfo,
  SessionState,
  SignInFlow,
  SignInOptions,
  SignInWithOptions,
  SignOutOptions,
  SignOutResult,
  StoredValue,
  StoreEvent,
  TokenManager,
  TokenManagerOptions,
  TokenResponse,
  TokenSet,
  TokenSetInput,
  TokenSource,
  TokenStore,
} from "./types.ts";
