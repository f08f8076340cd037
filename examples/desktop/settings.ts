export const {
  API = "https://api.example",
  TOKEN_ENDPOINT = "https://auth.example/token",
  USER_DATA = ".", // with Electron: app.getPath("userData")
} = process.env;
