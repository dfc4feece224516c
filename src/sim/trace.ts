import { Digest } from "../base/hash.ts";
import type { Append, Command, Post } from "../kernel/command.ts";

/**
 * Digests a run: what was decided, when, for whom, and every figure of every receipt. Written out by hand because turning
 * whole receipts into JSON would take as long as all the rest. Owned by one run.
 */
export class Trace {
  readonly #digest = new Digest();

  add(nowUs: number, commands: readonly Command[]): void {
    for (const command of commands) this.#digest.add(`${nowUs} ${textOf(command)}`);
  }

  hex(): string {
    return this.#digest.hex();
  }
}

function textOf(command: Command): string {
  switch (command.kind) {
    case "send":
      return `send ${command.requestId} ${command.attempt} ${command.backendId} ${command.upstreamModel}`;
    case "answer": {
      const { result } = command;
      const how = result.ok ? "ok" : `${result.code} ${result.relay} ${result.retryAfterMs} ${result.detail}`;
      return `answer ${command.requestId} ${command.attempt} ${how}`;
    }
    case "join":
      return `join ${command.requestId} ${command.step}`;
    case "wake":
      return `wake ${command.requestId} ${command.attempt} ${command.atUs}`;
    case "append":
      return receiptText(command);
    case "post":
      return postingText(command);
    case "lease":
      return `lease ${command.resource} ${command.amount}`;
    default:
      return `${command.kind} ${command.requestId} ${command.attempt}`;
  }
}

function postingText({ requestId, posting }: Post): string {
  const { inputTokens, outputTokens, costNanoUsd, energyMilliJoules, carbonMicrograms } = posting.amounts;
  const amounts = `${inputTokens} ${outputTokens} ${costNanoUsd} ${energyMilliJoules} ${carbonMicrograms}`;
  return `post ${requestId} ${posting.leafIndex} ${posting.tenant} ${posting.backend} ${amounts}`;
}

function receiptText({ receipt }: Append): string {
  const { tokens, time, costNanoUsd, energyMilliJoules, carbonMicrograms } = receipt;
  const spent = `${costNanoUsd.value} ${costNanoUsd.method} ${energyMilliJoules.value} ${carbonMicrograms.value}`;
  const made = `${tokens.input.value} ${tokens.output.value} ${tokens.input.method}`;
  const took = `${time.queueUs.value} ${time.ttftUs.value} ${time.tpotUs.value} ${time.e2eUs.value}`;
  const where = `${receipt.backendId} ${receipt.attempts.length} ${receipt.choice.reason} ${receipt.choice.excluded.length}`;
  return `append ${receipt.receiptId} ${receipt.outcome} ${receipt.code} ${where} ${made} ${spent} ${took}`;
}
