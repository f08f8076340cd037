/** The types of the REST API, in the form that openapi-typescript generates. */
export interface paths {
  "/users/{id}": {
    get: {
      parameters: { path: { id: string } };
      responses: {
        200: { content: { "application/json": { name: string } } };
        401: { content: { "application/json": { message: string } } };
      };
    };
  };
  "/words": {
    get: { responses: { 200: { content: { "text/plain": string } } } };
  };
}
