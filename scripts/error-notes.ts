/** The cause and the remedy of every error code and reason. A new code without a note does not pass the type check. */
import type {
  DeadReason,
  ErrorCode,
  RefreshFailedError,
  SignInFailedReason,
  StoreError,
} from "../packages/core/src/index.ts";
import type { KeychainError } from "../packages/store-keychain/src/index.ts";

export interface Note {
  readonly cause: string;
  readonly remedy: string;
}

export const codes = {
  SIGN_IN_REQUIRED: {
    error: "SignInRequiredError",
    cause: "There is nothing to refresh with: the session has ended, or none was ever started. `reason` says which.",
    remedy: "Have the user sign in: call `signIn(tokens)` or `signInWith(flow)`. Retrying does not help.",
  },
  REFRESH_FAILED: {
    error: "RefreshFailedError",
    cause:
      "The access token could not be refreshed now. As far as is known, the session is still alive. `reason` says why.",
    remedy:
      "Try again after `retryAt`. If your API accepts a token that expired a short while ago, set `staleIfError: true` to receive it while the token endpoint is down.",
  },
  CONFIGURATION: {
    error: "ConfigurationError",
    cause:
      "The token endpoint rejects this client or this request (`invalid_client`, `unauthorized_client`, `unsupported_grant_type`, `invalid_scope`, `invalid_request`, `invalid_target`, and what some servers call the same), redirects elsewhere, or returns no access token. Or the access token cannot be sent: it needs a proof (DPoP), or holds characters that a header cannot. Or the program may not read the environment variable that the message names (Deno: `--allow-env`). Or a document that `mirroredStore` is to update shows the session of another store: nothing is sent then.",
    remedy:
      "Check the client ID, its authentication (`client_secret_basic` or `client_secret_post`), the requested scope and the resource. Some servers consume the refresh token before they refuse the client: then a sign-in is needed, too. If the token endpoint is the reason, `cause` is its response. If a document is, name the same primary in all programs that list it.",
  },
  STORE_UNREADABLE: {
    error: "StoreError",
    cause:
      "Something is stored, but it cannot be read or is not a session: text that is not a session, a damaged generation, a directory, a file of another user or without read permission, a locked keychain. The session is never treated as signed out. If the error has a `version`, the unreadable data is only a copy of an intact session, and a save over that version replaces the copy.",
    remedy:
      'Follow `hint`, which is about `location`. If the data cannot be repaired, have the user sign in and call `signIn(tokens, { over: "unreadable" })`, which replaces it if the error has a `version` or an `overwriteVersion`; file stores keep a copy. As a last resort, move the stored data away.',
  },
  STORE_UNAVAILABLE: {
    error: "StoreError",
    cause:
      "The store cannot be reached or written: a full disk, a read-only file system, a session file that is mounted by itself, a directory that was replaced, a machine without a keychain, a time-out.",
    remedy:
      "Follow `hint`, which is about `location`, and retry. If the store refuses tokens that were just received, the manager uses them from memory and saves them later; the events `save-failed` and `save-recovered` report that. `close()` rejects with this code if received tokens could not be saved within the deadline of an exchange. Without `close()`, the event `rotation-lost` and the process warning `UNEXPIRED_ROTATION_LOST` report it.",
  },
  STORE_CONFLICT: {
    error: "StoreConflictError",
    cause: "The stored version is no longer the expected one: another process saved or removed the session first.",
    remedy:
      "The token manager handles it. If you call a store yourself, load again, and save over the version that you find.",
  },
  TOKEN_ENDPOINT: {
    error: "TokenEndpointError",
    cause:
      "The token endpoint returned an error, or no complete response. A refresh function throws it; applications see it as the `cause` of a `SignInRequiredError`, `RefreshFailedError` or `ConfigurationError`.",
    remedy:
      "Read `error`, `description` and `status`. In a refresh function of your own, set `sent: false` only if the request has certainly not left the machine.",
  },
  SIGN_IN_FAILED: {
    error: "SignInFailedError",
    cause: "A sign-in led to no tokens. What is stored has not changed. `reason` says why.",
    remedy: "Start another sign-in when the user wants one; `reason` says what to do first.",
  },
} as const satisfies Record<ErrorCode, Note & { readonly error: string }>;

/** For `SignInRequiredError`. */
export const signInReasons: Record<DeadReason, Note> = {
  no_session: {
    cause:
      "The store is empty: no sign-in yet, a removed session, or a new process with a `memoryStore()`, which ends with its process. Or a document of another program exists, but holds no session where its format looks. Or there is no token in the environment variable, or in any of the sources, that the message names.",
    remedy:
      "Sign in. If a session was expected, check that all programs name the same store: print `store.describe()`. If it is a document with a `format`, check `at` and `fields`.",
  },
  session_expired: {
    cause:
      "The token endpoint rejects the refresh token (`invalid_grant` or one of its aliases; or three refusals without a reason in a row, the third at least ten minutes after the first), or the access token has expired and there is no refresh token or no refresh function. Or the message names an environment variable or another fixed token: a server rejected it, or it is a JWT and has expired.",
    remedy:
      "Sign in, or set the variable to a valid token. If sessions end too early, check the lifetime of refresh tokens at the server, and whether the client may have one (often the scope `offline_access`).",
  },
  refresh_token_reused: {
    cause:
      "The server reports that the refresh token had been used before, or the store holds a refresh token that was used up, and no newer one is known.",
    remedy:
      "Sign in. Then make sure that every program that refreshes this session uses the same store, and that no backup or copied file brings an old session back.",
  },
  response_lost: {
    cause:
      "A refresh was sent and its response never arrived, or could not be read: the process was killed, the connection broke, the deadline passed, or the server failed with a 5xx. The old refresh token is no longer accepted, or the profile `afterLoss: 'sign-in'` forbids presenting it again. Or the server had consumed the refresh token before it refused the client.",
    remedy:
      "Sign in. If your server has a grace period, give its profile as `provider`, and a `timeout` well below the grace period. Programs that end right after a call should set `background: false` or await `close()`.",
  },
  revoked: {
    cause: "The server reports that the refresh token was revoked, for example by the user or an administrator.",
    remedy: "Sign in.",
  },
  signed_out: {
    cause: "`signOut()` was called, in this process or in another one that shares the store.",
    remedy: "Sign in.",
  },
  interaction_required: {
    cause:
      "The server wants the user to interact with it before it issues more tokens (`interaction_required`, `login_required`, `consent_required`, `account_selection_required`, `mfa_required`). `cause` says why.",
    remedy:
      "Open the server's sign-in page. The refresh token is kept: if the interaction does not lead to new tokens, call `refresh()` after it.",
  },
  account_changed: {
    cause:
      "Another account has signed in to this store since this manager first saw its session, or the token endpoint returned an ID token of another account. Those tokens were revoked and not stored; the message tells which.",
    remedy:
      "In the first case, create a new manager, which takes the account that is stored, or sign in again with this one; give each account a store of its own. In the second, have the user sign in again.",
  },
};

/** For `RefreshFailedError`. */
export const refreshFailedReasons: Record<RefreshFailedError["reason"], Note> = {
  endpoint: {
    cause:
      "The token endpoint could not be reached, is overloaded or failing, or its response was lost: all processes that share the session leave it alone until `retryAt`. Or two access tokens in a row had expired when they arrived: the server grants a very short lifetime, or the clock of this machine is wrong.",
    remedy:
      "Wait; if its status is 404 or 405, check the URL of the token endpoint. `cause` is the `TokenEndpointError`, with the endpoint's status, code and description, also in processes that only waited; the event `refresh-failed` has the same.",
  },
  claimed: {
    cause:
      "Another process, which the message names, has claimed the refresh and not finished it in time. It is alive, so it may be stopped (Ctrl-Z, a breakpoint of a debugger) with the new tokens still to come. To present the refresh token a second time could end the session for everyone.",
    remedy:
      "Let that process continue, or end it: the others then go on at once. Otherwise they go on ten minutes after its claim, at `retryAt`, and treat its response as lost.",
  },
  just_obtained: {
    cause:
      "An API rejected an access token that came from an exchange less than 30 seconds ago (or less than a fifth of its lifetime, if that is shorter). A newer one would be rejected, too.",
    remedy:
      "Check the scope and audience of the token, and the clock of the API. Adapters return the 401 to the caller.",
  },
  exhausted: {
    cause:
      "No entry of a token pool is available: each was put aside after a 402, a 429 or a rejected token, cannot be refreshed now, or needs a sign-in. The message says which entry, why, and until when. After a 402 or 429, adapters return that response to the caller instead.",
    remedy:
      "Try again after `retryAt`, the end of the first cooldown, or sign in to one of the entries: that ends its cooldown at once. `why()` of the pool returns the same as data.",
  },
};

/** For `SignInFailedError`. */
export const signInFailedReasons: Record<SignInFailedReason, Note> = {
  refused: {
    cause:
      "The user refused the access, or a policy of the server did (`access_denied`). If the server said more, `cause` has it.",
    remedy:
      "Start another sign-in if the user wants one. If the server has a policy, ask its administrator for access.",
  },
  expired: {
    cause: "The code of a device sign-in expired before the user had confirmed it.",
    remedy: "Start another one, which shows a new code. If `cause` is a network failure, check the connection first.",
  },
  timeout: {
    cause: "The user did not complete the sign-in within the time that the program waits.",
    remedy: "Start another one, or wait longer.",
  },
  mismatched: {
    cause:
      "The response belongs to another sign-in or comes from another server: its `state` is missing or another one, its `iss` is another issuer or missing although the server always sends it, it arrived at another redirect URI, the sign-in was already finished, or the ID token names another issuer, client or nonce. Its code was not used, or the tokens were discarded.",
    remedy:
      "Start another sign-in and complete it in the same browser. If it happens every time, compare the issuer and the redirect URI with what the server is configured for; otherwise someone may have tried to slip in another session.",
  },
  port_in_use: {
    cause: "Another program listens on the port to which the server is to redirect the user.",
    remedy: "End that program, or choose another port that is registered as a redirect URI.",
  },
  rejected: {
    cause:
      "The server rejects the sign-in, or its response is invalid: an expired authorization code, an ID token that cannot be read, a response without tokens. `cause` has what it said.",
    remedy: "Start another sign-in. If it happens every time, look `cause` up in the server's documentation.",
  },
  unreachable: {
    cause:
      "The server could not be reached, did not respond within `timeout`, or is failing (5xx, 429, `server_error`, `temporarily_unavailable`).",
    remedy: "Check the network connection and the URL, and start another sign-in later. `cause` has the details.",
  },
};

/** For `KeychainError` of `@unexpired/store-keychain`. */
export const keychainReasons: Record<KeychainError["reason"], Note & { readonly code: StoreError["code"] }> = {
  no_backend: {
    code: "STORE_UNAVAILABLE",
    cause:
      "No package that talks to the keychain can be loaded, or the one that wrote the session is missing in this installation. A bundle does not contain them.",
    remedy:
      "Install the package that the message names: `npm install @napi-rs/keyring` or `npm install keytar`; for a bundle, in the folder of its file.",
  },
  no_service: {
    code: "STORE_UNAVAILABLE",
    cause:
      "This machine has no keychain at the moment: no D-Bus, no Secret Service, no default collection, or on Windows no logon session.",
    remedy:
      "Log in to the desktop, or start a Secret Service such as gnome-keyring in this session. For machines without a keychain, use `keychainOrFile` or `fileStore`.",
  },
  locked: {
    code: "STORE_UNREADABLE",
    cause: "The keychain exists, but is locked, and this session may not ask for its password.",
    remedy: "Unlock it and retry. Over SSH, unlock it from a session that can show a prompt.",
  },
  timeout: {
    code: "STORE_UNAVAILABLE",
    cause: "The keychain did not respond within `timeout` (3 seconds by default).",
    remedy:
      "Unlock it, close its prompt or restart its service, and retry. Raise `timeout` if users need time to confirm.",
  },
  refused: {
    code: "STORE_UNAVAILABLE",
    cause: "The keychain returned an error, which the message quotes.",
    remedy: "Fix what it reports and retry. If the Secret Service was restarted, restart the program.",
  },
  damaged: {
    code: "STORE_UNREADABLE",
    cause: "The keychain's items are not the ones that were saved: one is missing, or was replaced.",
    remedy: "Restore them, or call `remove()` on the store and have the user sign in again.",
  },
  too_long: {
    code: "STORE_UNAVAILABLE",
    cause:
      "With the option `format`, the item of another program would become longer than the keychain permits: on Windows, 2,560 bytes. An item that another program reads cannot be split. The session itself is saved. The event `document-failed` has the message of this error.",
    remedy: "Sign in with the other program again before it uses its old copy, or store less in the item.",
  },
};
