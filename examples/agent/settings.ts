const { ISSUER = "https://auth.example" } = process.env;
export const { API = "https://api.example", TOKEN_ENDPOINT = `${ISSUER}/token` } = process.env;

/** The client, as the authorization server knows it. */
export const CLIENT = { issuer: ISSUER, clientId: "demo-client", scope: "openid offline_access" };
