/** One thing that the mock does while it answers. Writing sends the headers first if they have not gone out. */
export type Action =
  | { readonly do: "head" }
  | { readonly do: "event"; readonly data: string }
  | { readonly do: "text"; readonly text: string }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "hold" }
  | { readonly do: "forever" }
  | { readonly do: "destroy" };

/** Send the headers now. */
export const HEAD: Action = { do: "head" };
/** Wait until the test releases this request. */
export const HOLD: Action = { do: "hold" };
/** Say nothing more until the client leaves. */
export const FOREVER: Action = { do: "forever" };
/** Break the connection. */
export const DESTROY: Action = { do: "destroy" };
/** One SSE event. */
export const event = (data: string): Action => ({ do: "event", data });
/** Text as it is. */
export const text = (value: string): Action => ({ do: "text", text: value });
/** A pause. */
export const wait = (ms: number): Action => ({ do: "wait", ms });
