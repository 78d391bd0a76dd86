// Speaks to the node: log-in, requests with the csrf value, problems as errors.

let csrf = null;
let onLoggedOut = () => {};

/** A problem document (RFC 9457), or a connection that broke. */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail || body.title || "The node did not answer.");
    this.code = body.code || "unreachable";
    this.hint = body.hint || "";
    this.status = status;
    this.errors = body.errors || [];
    this.candidates = body.candidates || [];
    this.retryAfterMs = body.retry_after_ms ?? null;
  }
}

export function whenLoggedOut(listener) {
  onLoggedOut = listener;
}

/** Sends a request; gives parsed JSON, or null where there is none. */
export async function call(method, path, { json, text, headers = {}, timeoutMs = 70_000 } = {}) {
  const options = { method, headers: { ...headers }, signal: AbortSignal.timeout(timeoutMs), credentials: "same-origin" };
  if (method !== "GET" && csrf) options.headers["X-CSRF"] = csrf;
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  } else if (text !== undefined) {
    options.body = text;
    options.headers["Content-Type"] = "text/plain; charset=utf-8";
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Problem({ detail: "The node does not answer.", hint: "Is it still running?" }, 0);
  }
  const isJson = (response.headers.get("content-type") || "").includes("json");
  const body = isJson ? await response.json().catch(() => ({})) : null;
  if (response.ok) return body;
  if (response.status === 401 && path !== "/v1/auth/login") onLoggedOut();
  throw new Problem(body ?? {}, response.status);
}

/** Exchanges a ticket for a log-in. */
export async function logIn(ticket) {
  const session = await call("POST", "/v1/auth/login", { json: { ticket } });
  csrf = session.csrf;
}

/** Takes up a log-in from before a reload; false where there is none. */
export async function resume() {
  try {
    csrf = (await call("GET", "/v1/auth/session")).csrf;
    return true;
  } catch (problem) {
    if (problem.status === 401) return false;
    throw problem;
  }
}

export async function logOut() {
  await call("POST", "/v1/auth/logout");
  csrf = null;
}

export const segment = encodeURIComponent;
