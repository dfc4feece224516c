import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** A lock that is held until it is released or its process ends, in whatever way. */
export interface Held {
  /** May be called again. */
  release(): void;
}

/**
 * Takes the lock of the model `name` in `dir`: `shared` by those who use its files, `exclusive` by those who write or remove
 * them. Null when somebody holds it in a way that excludes this. SQLite's file locks are used, which every system drops when a
 * process dies, so that no lock is ever left over; the database stays empty. Throws the file system's error in words.
 */
export function tryHold(dir: string, name: string, how: "shared" | "exclusive"): Held | null {
  const locks = join(dir, ".locks");
  mkdirSync(locks, { recursive: true, mode: 0o700 });
  const path = join(locks, name);
  const database = new DatabaseSync(path);
  try {
    database.exec(how === "exclusive" ? "BEGIN EXCLUSIVE" : "BEGIN; SELECT count(*) FROM sqlite_schema");
    // A select that was run to its end keeps its shared lock until the transaction ends.
    return {
      release: () => {
        if (database.isOpen) database.close();
      },
    };
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked/.test(error.message)) return null;
    throw new Error(`${path} cannot be locked: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
