/** The REST calls of *Operations*. The key stays in this tab's memory. */

/** The service does not let this reader see the view. */
export class RefusedError extends Error {}

export class OperationsApi {
  private key: string | undefined;

  /** @param token of the reader; a service's token reaches everything */
  constructor(private readonly token: string | undefined) {}

  get hasKey(): boolean {
    return this.key !== undefined;
  }

  useKey(key: string): void {
    this.key = key;
  }

  /** @throws RefusedError for 401 and 403, Error with the service's message for any other failure */
  async call<Body>(method: string, path: string, body?: object): Promise<Body> {
    const response = await fetch(path, {
      method,
      headers: {
        ...(this.key !== undefined
          ? { 'x-api-key': this.key }
          : this.token !== undefined && { authorization: `Bearer ${this.token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    if (response.ok) return (response.status === 204 ? {} : await response.json()) as Body;
    const { message } = (await response.json().catch(() => ({}))) as { message?: string };
    const text = message ?? `HTTP ${response.status}`;
    throw response.status === 401 || response.status === 403 ? new RefusedError(text) : new Error(text);
  }
}
