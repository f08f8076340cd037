export const { API = "https://api.example", TOKEN_ENDPOINT = "https://auth.example/token" } = process.env;
/** The profiles of the agents, each with an `auth.json` of its own. */
export const PROFILES = ["default", "coder", "reviewer"];
