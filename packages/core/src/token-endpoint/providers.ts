import type { ProviderProfile } from "../types.ts";

const NONE: readonly never[] = /* @__PURE__ */ Object.freeze([]);

/** The profile of an unknown server: rotation without a grace period, as RFC 9700 §4.14.2 describes it. */
export const genericProvider: ProviderProfile = /* @__PURE__ */ Object.freeze({
  rotation: true,
  graceSeconds: 0,
  replayReturns: "new",
  afterLoss: "retry",
  terminal: NONE,
  interaction: NONE,
  misconfigured: NONE,
  transient: NONE,
  lost: NONE,
});

const profile = (known: Partial<ProviderProfile>): ProviderProfile => Object.freeze({ ...genericProvider, ...known });
const codes = (...names: string[]): readonly string[] => Object.freeze(names);

/**
 * Profiles of authorization servers from public documentation, for the option `provider`. Nearly every value is a
 * setting of the tenant; override those that differ for yours (`{ ...providers.okta, graceSeconds: 0 }`). If a server
 * documents no grace period, its profile assumes rotation without one, so that no spent refresh token is presented
 * while the access token is usable. Codes that name the refresh token (`bad_refresh_token`,
 * `refresh_token_already_used`, …) end the session with every profile, and are not repeated here.
 */
export const providers = /* @__PURE__ */ Object.freeze({
  /** An unknown server; the default. {@link https://www.rfc-editor.org/rfc/rfc9700#section-4.14.2 RFC 9700 §4.14.2}. */
  generic: genericProvider,

  /**
   * Like `generic`, but never presents a refresh token twice: after a lost response, the session ends when its access
   * token expires. For servers at which a replay costs more than this session. Not based on any provider's
   * documentation.
   */
  strict: /* @__PURE__ */ profile({ afterLoss: "sign-in" }),

  /**
   * {@link https://auth0.com/docs/secure/tokens/refresh-tokens/configure-refresh-token-rotation Auth0, "Configure
   * Refresh Token Rotation"}: rotation and the "rotation overlap period" (`leeway`) are settings of the application;
   * "by default leeway is disabled". Within it, the server accepts only the previous token, and returns a new one.
   */
  auth0: genericProvider,

  /**
   * {@link https://developer.okta.com/docs/guides/refresh-tokens/main/ Okta, "Refresh access tokens"}: rotation is the
   * default for single-page apps, and a setting for others. Its grace period defaults to 30 seconds and can be set from
   * 0 to 60. The response to a replay is not documented.
   */
  okta: /* @__PURE__ */ profile({ graceSeconds: 30 }),

  /**
   * {@link https://www.keycloak.org/docs/latest/server_admin/#_timeouts Keycloak, Server Administration Guide, "Session
   * and token timeouts"}: "Revoke Refresh Token" is a setting of the realm, and no grace period is documented. It is
   * off in a new realm ({@link https://github.com/keycloak/keycloak/pull/4510 keycloak#4510}); `rotation: false` is
   * then right. This profile assumes that it is on, which is safe. A replay then ends the client's session
   * ({@link https://github.com/keycloak/keycloak/pull/8130 keycloak#8130}).
   */
  keycloak: genericProvider,

  /**
   * {@link https://workos.com/docs/authkit/session-resilience WorkOS AuthKit, "Session resilience"}: a replay within 30
   * seconds returns the same pair. The codes are those that its
   * {@link https://github.com/workos/workos-node/blob/main/src/user-management/interfaces/refresh-and-seal-session-data.interface.ts
   * Node SDK} treats as terminal.
   */
  workos: /* @__PURE__ */ profile({
    graceSeconds: 30,
    replayReturns: "same",
    terminal: /* @__PURE__ */ codes("sso_required", "mfa_enrollment"),
  }),

  /**
   * {@link https://supabase.com/docs/guides/auth/sessions Supabase, "User sessions"}: the reuse interval defaults to 10
   * seconds. Even after it, presenting the parent of the active refresh token returns the active one, so a retry is
   * worthwhile. The codes are from {@link https://supabase.com/docs/guides/auth/debugging/error-codes "Error codes"}.
   */
  supabase: /* @__PURE__ */ profile({
    graceSeconds: 10,
    replayReturns: "same",
    terminal: /* @__PURE__ */ codes("session_expired", "session_not_found", "user_not_found"),
  }),

  /**
   * {@link https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RefreshTokenRotationType.html
   * Amazon Cognito, "RefreshTokenRotationType"}: rotation is a setting of the app client, and so is
   * `RetryGracePeriodSeconds`, from 0 to 60. No default is documented, so none is assumed; nor is the response to a
   * replay documented. The code is from `GetTokensFromRefreshToken`.
   */
  cognito: /* @__PURE__ */ profile({ terminal: /* @__PURE__ */ codes("RefreshTokenReuseException") }),

  /**
   * {@link https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
   * GitHub, "Refreshing user access tokens"}: once used, a refresh token "will no longer work", nor will the old access
   * token. Every profile recognizes its `bad_refresh_token`, which it sends with status 200.
   */
  github: genericProvider,

  /**
   * {@link https://developers.google.com/identity/protocols/oauth2#expiration Google, "Using OAuth 2.0 to Access Google
   * APIs"}: a refresh token is reused for as long as it is valid; an exchange returns only an access token.
   */
  google: /* @__PURE__ */ profile({ rotation: false }),

  /**
   * {@link https://linear.app/developers/oauth-2-0-authentication Linear, "OAuth 2.0 authentication"}: a refresh token
   * can be replayed for 30 minutes if the response did not arrive. No documentation of the response to a replay was
   * found.
   */
  linear: /* @__PURE__ */ profile({ graceSeconds: 1800 }),
});
