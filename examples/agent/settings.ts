export const { API = "https://api.example", TOKEN_ENDPOINT = "https://auth.example/token" } = process.env;
