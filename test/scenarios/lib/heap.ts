import assert from "node:assert/strict";
import { once } from "node:events";
import type { Baseload } from "./baseload.ts";

/** What a process is started with so that its heap can be looked into. */
export const INSPECTED = { NODE_OPTIONS: "--inspect=127.0.0.1:0" } as const;

interface HeapUsage {
  readonly usedSize: number;
  /** Of buffers, which lie outside the heap proper. */
  readonly backingStorageSize: number;
}

/** Bytes that a server started with `INSPECTED` holds on to: asked of V8 after a full collection, so that garbage does not count. */
export async function liveHeapBytes(server: Baseload): Promise<number> {
  const [url] = /ws:\/\/127\.0\.0\.1:\d+\/\S+/.exec(server.output) ?? assert.fail(`no inspector: ${server.output}`);
  const socket = new WebSocket(url);
  await once(socket, "open");
  const ask = async (id: number, method: string): Promise<unknown> => {
    socket.send(JSON.stringify({ id, method }));
    while (true) {
      const [message] = (await once(socket, "message")) as [{ readonly data: string }];
      const answer = JSON.parse(message.data) as { readonly id?: number; readonly result?: unknown };
      if (answer.id === id) return answer.result;
    }
  };
  await ask(1, "HeapProfiler.collectGarbage");
  const { usedSize, backingStorageSize } = (await ask(2, "Runtime.getHeapUsage")) as HeapUsage;
  socket.close();
  return usedSize + backingStorageSize;
}
