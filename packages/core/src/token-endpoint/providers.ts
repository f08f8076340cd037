import type { ProviderProfile, ResponsePattern } from "../types.ts";

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
const patterns = (...given: ResponsePattern[]): readonly ResponsePattern[] =>
  Object.freeze(given.map((each) => Object.freeze(each)));

/** Auth0's response to a wrong client secret. Atlassian's server is Auth0. */
const AUTH0_CLIENT = /* @__PURE__ */ patterns({ error: "access_denied", status: 401, description: "unauthorized" });

/**
 * Profiles of authorization servers from public documentation, for the option `provider`. Nearly every value is a
 * setting of the tenant; override those that differ for yours (`{ ...providers.okta, graceSeconds: 0 }`). If a server
 * documents no grace period, its profile assumes rotation without one, so that no spent refresh token is presented
 * while the access token is usable. The lists of responses hold only what the general rules would misjudge: codes that
 * name the refresh token (`bad_refresh_token`, `refresh_token_already_used`, …) end the session with every profile.
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
   * "by default leeway is disabled". Within it, the server accepts only the previous token, and returns a new one. A
   * client that fails to authenticate gets `access_denied`
   * ({@link https://github.com/auth0-samples/auth0-angular-samples/issues/201 auth0-angular-samples#201}).
   */
  auth0: /* @__PURE__ */ profile({ misconfigured: AUTH0_CLIENT }),

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
    terminal: /* @__PURE__ */ patterns("sso_required", "mfa_enrollment"),
  }),

  /**
   * {@link https://supabase.com/docs/guides/auth/sessions Supabase, "User sessions"}: the reuse interval defaults to 10
   * seconds. Even after it, presenting the parent of the active refresh token returns the active one, so a retry is
   * worthwhile. The codes are from {@link https://supabase.com/docs/guides/auth/debugging/error-codes "Error codes"}.
   */
  supabase: /* @__PURE__ */ profile({
    graceSeconds: 10,
    replayReturns: "same",
    terminal: /* @__PURE__ */ patterns("session_expired", "session_not_found", "user_not_found"),
  }),

  /**
   * {@link https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_RefreshTokenRotationType.html
   * Amazon Cognito, "RefreshTokenRotationType"}: rotation is a setting of the app client, and so is
   * `RetryGracePeriodSeconds`, from 0 to 60. No default is documented, so none is assumed; nor is the response to a
   * replay documented. The codes are from {@link
   * https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_GetTokensFromRefreshToken.html
   * "GetTokensFromRefreshToken"}. Every profile recognizes `NotAuthorizedException`.
   */
  cognito: /* @__PURE__ */ profile({
    terminal: /* @__PURE__ */ patterns("RefreshTokenReuseException"),
    misconfigured: /* @__PURE__ */ patterns("ResourceNotFoundException", "InvalidParameterException"),
  }),

  /**
   * {@link https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/refreshing-user-access-tokens
   * GitHub, "Refreshing user access tokens"}: once used, a refresh token "will no longer work", nor will the old access
   * token. Every profile recognizes its `bad_refresh_token`, which it sends with status 200.
   */
  github: genericProvider,

  /**
   * {@link https://developers.google.com/identity/protocols/oauth2#expiration Google, "Using OAuth 2.0 to Access Google
   * APIs"}: a refresh token is reused for as long as it is valid; an exchange returns only an access token.
   * {@link https://developers.google.com/identity/protocols/oauth2/web-server#authorization-errors-deleted-client
   * `deleted_client`} is about the OAuth client.
   */
  google: /* @__PURE__ */ profile({ rotation: false }),

  /**
   * {@link https://linear.app/developers/oauth-2-0-authentication Linear, "OAuth 2.0 authentication"}: a refresh token
   * can be replayed for 30 minutes if the response did not arrive. No documentation of the response to a replay was
   * found.
   */
  linear: /* @__PURE__ */ profile({ graceSeconds: 1800 }),

  /**
   * {@link https://help.salesforce.com/s/articleView?id=005316711&type=1 Salesforce, "Force one-time-use Refresh
   * Tokens"}: rotation is a setting of the app. A replay revokes the current refresh token and its access tokens, and no
   * grace period is documented. Without rotation, `rotation: false` is right. The responses are from
   * {@link https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flow_errors.htm&type=5 "OAuth Flow
   * Error Codes"}: the IP ranges and login hours of a user do not revoke the refresh token. Every profile recognizes
   * {@link https://help.salesforce.com/s/articleView?id=release-notes.rn_security_refresh_token_error.htm&release=252&type=5
   * "token request is already being processed"} as transient.
   */
  salesforce: /* @__PURE__ */ profile({
    transient: /* @__PURE__ */ patterns({ error: "invalid_grant", description: "ip restricted" }),
    interaction: /* @__PURE__ */ patterns("inactive_user", "inactive_org"),
    misconfigured: /* @__PURE__ */ patterns("invalid_app_access"),
  }),

  /**
   * {@link https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens Microsoft Entra, "Refresh tokens"}:
   * each exchange returns a new refresh token, but "doesn't revoke old refresh tokens". The codes are from
   * {@link https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes "Error codes"}.
   * {@link https://learn.microsoft.com/en-us/entra/identity-platform/reference-breaking-changes AADSTS50196} throttles a
   * client that sends 15 or more requests in 5 minutes. The second codes (`suberror`) after which the user has to interact
   * are from {@link https://learn.microsoft.com/en-us/dotnet/api/microsoft.identity.client.uirequiredexceptionclassification
   * "UiRequiredExceptionClassification"}.
   */
  entra: /* @__PURE__ */ profile({
    rotation: false,
    transient: /* @__PURE__ */ patterns({ error: "invalid_grant", description: "AADSTS50196" }),
    interaction: /* @__PURE__ */ patterns(
      { error: "invalid_grant", description: "(basic_action)" },
      { error: "invalid_grant", description: "(additional_action)" },
      { error: "invalid_grant", description: "(message_only)" },
      { error: "invalid_grant", description: "(consent_required)" },
    ),
  }),

  /**
   * {@link https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/ Atlassian, "OAuth 2.0 (3LO) apps"}:
   * refresh tokens rotate. "The leeway interval is 10 minutes" ({@link
   * https://community.developer.atlassian.com/t/updated-31-january-2022-action-required-deprecating-persistent-refresh-tokens/54172
   * announcement}); a later replay invalidates every refresh token. The server is Auth0, which returns new tokens.
   */
  atlassian: /* @__PURE__ */ profile({ graceSeconds: 600, misconfigured: AUTH0_CLIENT }),

  /**
   * {@link https://developers.hubspot.com/docs/api-reference/legacy/authentication/oauth-tokens/v1/migration-guide
   * HubSpot, "Migrate from the OAuth v1 API"}: the error codes of version 1 stand in `status`, those of later versions
   * in `error`. Whether refresh tokens rotate is not documented, so this profile assumes that they do.
   */
  hubspot: /* @__PURE__ */ profile({}),

  /**
   * {@link https://community.xero.com/developer/discussion/105714701 Xero, reply of its staff}: if a response did not
   * arrive, the old refresh token can be retried "for a grace period of 30 minutes". The response to a replay is not
   * documented.
   */
  xero: /* @__PURE__ */ profile({ graceSeconds: 1800 }),

  /**
   * {@link https://github.com/intuit/oauth-jsclient#refresh-access_token Intuit, oauth-jsclient}: the refresh token
   * changes every 24 to 26 hours ({@link https://github.com/intuit/oauth-jsclient/issues/74 oauth-jsclient#74}). The
   * previous one expires 24 hours later, or at once, as {@link
   * https://help.developer.intuit.com/s/article/Validity-of-Refresh-Token "Validity of Refresh Token"} can be read; so no
   * grace period is assumed.
   */
  intuit: genericProvider,

  /**
   * {@link https://docs.slack.dev/authentication/using-token-rotation Slack, "Using token rotation"}: a used refresh
   * token is revoked, and no grace period is documented. The codes, which it sends with status 200, are from
   * {@link https://docs.slack.dev/reference/methods/oauth.v2.access "oauth.v2.access"}: after `internal_error` and
   * `fatal_error`, "some aspect of the operation" may have succeeded.
   */
  slack: /* @__PURE__ */ profile({
    lost: /* @__PURE__ */ patterns("internal_error", "fatal_error"),
    terminal: /* @__PURE__ */ patterns("token_revoked", "account_inactive"),
    misconfigured: /* @__PURE__ */ patterns("invalid_grant_type"),
  }),

  /**
   * {@link https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html Zoho, "Refresh access token"}:
   * a refresh token is reused, for up to ten access tokens in ten minutes; an exchange returns no other one. The codes,
   * which it sends with status 200, are from {@link
   * https://help.zoho.com/portal/en/community/topic/kaizen-4-troubleshooting-oauth2-0 "Troubleshooting OAuth2.0"}.
   */
  zoho: /* @__PURE__ */ profile({
    rotation: false,
    terminal: /* @__PURE__ */ patterns("invalid_code"),
  }),

  /**
   * {@link https://dev.fitbit.com/build/reference/web-api/developer-guide/best-practices Fitbit, "Best Practices"}: a
   * refresh token "can only be used once". No grace period is documented.
   */
  fitbit: genericProvider,

  /**
   * {@link https://developers.strava.com/docs/authentication/#refreshing-expired-access-tokens Strava,
   * "Authentication"}: the refresh token can change with each exchange; then "the older code will no longer work". No
   * grace period is documented. Its responses have no code, but name the field
   * ({@link https://github.com/dreeveapp/dreeve/issues/372 dreeve#372}).
   */
  strava: genericProvider,

  /**
   * {@link https://dev.twitch.tv/docs/authentication/refresh-tokens/ Twitch, "Refreshing Access Tokens"}: refresh tokens
   * "may change"; no grace period is documented. Its responses have no code, only a `message` ({@link
   * https://github.com/twitchdev/issues/issues/943 twitchdev#943}).
   */
  twitch: genericProvider,

  /**
   * {@link https://docs.discord.com/developers/topics/oauth2 Discord, "OAuth2"}: each exchange returns a new refresh
   * token, and each is single-use ({@link https://github.com/discord/discord-api-docs/issues/5942
   * discord-api-docs#5942}). No grace period is documented.
   */
  discord: genericProvider,

  /**
   * {@link https://developer.spotify.com/documentation/web-api/tutorials/refreshing-tokens Spotify, "Refreshing tokens"}:
   * an exchange does not always return a new refresh token. Those of public clients, with PKCE, are revoked by their
   * use ({@link https://github.com/ramsayleung/rspotify/issues/396 rspotify#396}), and no grace period is documented.
   */
  spotify: genericProvider,

  /**
   * Servers built with {@link https://github.com/cloudflare/workers-oauth-provider Cloudflare's
   * `workers-oauth-provider`}: the previous refresh token "remains valid until its replacement is first used", however
   * long that takes, and a replay returns new tokens. A refresh token of another client is refused with `invalid_grant`,
   * too, but does not end its session.
   */
  cloudflare: /* @__PURE__ */ profile({
    graceSeconds: Infinity, // `Number.POSITIVE_INFINITY` would keep bundlers from leaving the profiles out
    misconfigured: /* @__PURE__ */ patterns({ error: "invalid_grant", description: "client id mismatch" }),
  }),
});
