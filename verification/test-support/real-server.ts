/** A client, as the parameters with which it authenticates. */
export interface Client {
  readonly client_id: string;
  readonly client_secret?: string;
}

/** An authorization server that was not written for our tests. Its refresh tokens work once. */
export interface RealServer extends AsyncDisposable {
  readonly origin: string;
  /** The paths of its endpoints. */
  readonly paths: { readonly token: string; readonly revocation: string; readonly userInfo: string };
  /** The clients that it knows: one without a secret, and one with. */
  readonly clients: { readonly public: Client; readonly confidential: Required<Client> };
  /** Starts a session as a sign-in in a browser would, and returns its first refresh token. */
  mintRefreshToken(client: Client): Promise<string>;
}
