import { basename } from "node:path";

/** Name of the model that the embedded engine has without a file. */
const TINY_MODEL = "baseload-tiny";

/** The name that clients use for an embedded backend's model. */
export function embeddedName(backend: {
  readonly name?: string | undefined;
  readonly model?: string | undefined;
}): string {
  if (backend.name !== undefined) return backend.name;
  // A path written on Windows may be read elsewhere and the reverse, so both separators count.
  return backend.model === undefined
    ? TINY_MODEL
    : basename(backend.model.replaceAll("\\", "/")).replace(/(.)\.gguf$/i, "$1");
}
