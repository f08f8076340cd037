/** Returns whether a GraphQL server rejected the token. Many respond with the status 200, and an error with this code. */
export async function isUnauthenticated(response: Response): Promise<boolean> {
  if (response.status === 401) return true;
  if (!response.headers.get("content-type")?.includes("json")) return false; // a stream of results, which may take long
  const { errors = [] } = await response.clone().json();
  return errors.some((error: { extensions?: { code?: unknown } }) => error.extensions?.code === "UNAUTHENTICATED");
}
