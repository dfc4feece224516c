import type { BackendId, RequestId } from "../../base/ids.ts";
import type { Command } from "../../kernel/command.ts";
import type { BackendConfig, SiteConfig } from "../../kernel/config.ts";
import type { Checker, Moment } from "./runs.ts";
import { holds } from "./violation.ts";

interface Meter {
  watts: number;
  readonly pueThousandths: number;
  /** Requests there that were sent while its watts were declared. */
  readonly holders: Set<RequestId>;
  lastUs: number;
  busyMicroJoules: number;
  /** Times that the kernel may have dropped the backend, and with it what it owed of a millijoule. */
  forgotten: number;
}

/**
 * Integrates declared watts over busy time by itself and compares it with what the receipts say in sum, to a millijoule a
 * backend. A receipt with attempts at several backends sums them up, so those backends are compared together.
 */
export class EnergyChecker implements Checker {
  readonly #meters = new Map<BackendId, Meter>();
  readonly #sites = new Map<string, SiteConfig>();
  /** Millijoules on receipts by the backend that stands for its group. */
  readonly #receipts = new Map<BackendId, number>();
  readonly #groups = new Map<BackendId, BackendId>();

  onEvent({ nowUs, event, ended }: Moment): void {
    if (ended !== null) {
      const meter = this.#meters.get(ended.backendId);
      if (meter !== undefined && meter.holders.has(ended.requestId)) {
        advance(meter, nowUs);
        meter.holders.delete(ended.requestId);
      }
    }
    if (event.kind !== "configured") return;
    for (const site of event.config.sites) this.#sites.set(site.id, site);
    for (const [backendId, meter] of this.#meters) {
      if (!event.config.backends.some((backend) => backend.id === backendId)) meter.forgotten += 1;
    }
    for (const backend of event.config.backends) this.#configure(nowUs, backend);
  }

  #configure(nowUs: number, backend: BackendConfig): void {
    const meter = this.#meters.get(backend.id);
    if (meter !== undefined) {
      advance(meter, nowUs);
      meter.watts = backend.watts ?? 0;
      return;
    }
    const pueThousandths = this.#sites.get(backend.site)?.pueThousandths ?? 1000;
    const none = { holders: new Set<RequestId>(), busyMicroJoules: 0, forgotten: 0 };
    this.#meters.set(backend.id, { watts: backend.watts ?? 0, pueThousandths, lastUs: nowUs, ...none });
    this.#receipts.set(backend.id, 0);
    this.#groups.set(backend.id, backend.id);
  }

  onCommand({ nowUs }: Moment, command: Command): void {
    if (command.kind === "send") {
      const meter = this.#meters.get(command.backendId);
      if (meter === undefined || meter.watts === 0) return;
      advance(meter, nowUs);
      meter.holders.add(command.requestId);
    }
    if (command.kind !== "append") return;
    const { attempts, energyMilliJoules } = command.receipt;
    const [first, ...others] = attempts;
    if (first === undefined) {
      holds(energyMilliJoules.value === null, "energy", () => `${command.requestId} was never sent but used energy`);
      return;
    }
    for (const other of others) this.#join(first.backendId, other.backendId);
    const group = this.#groupOf(first.backendId);
    this.#receipts.set(group, (this.#receipts.get(group) ?? 0) + (energyMilliJoules.value ?? 0));
  }

  /** What the dead process had not yet attributed is lost; what it had may not be more than was drawn. */
  onCrash(nowUs: number): void {
    this.#compare(nowUs, false);
    this.#meters.clear();
    this.#receipts.clear();
    this.#groups.clear();
  }

  onEnd(nowUs: number): void {
    this.#compare(nowUs, true);
  }

  #compare(nowUs: number, isComplete: boolean): void {
    const drawn = new Map<BackendId, { nanoJoules: bigint; backends: bigint }>();
    for (const [backendId, meter] of this.#meters) {
      advance(meter, nowUs);
      const sum = drawn.get(this.#groupOf(backendId)) ?? { nanoJoules: 0n, backends: 0n };
      // Microjoules × thousandths are nanojoules: nothing is rounded here.
      sum.nanoJoules += BigInt(meter.busyMicroJoules) * BigInt(meter.pueThousandths);
      sum.backends += BigInt(1 + meter.forgotten);
      drawn.set(this.#groupOf(backendId), sum);
    }
    for (const [group, { nanoJoules, backends }] of drawn) {
      const attributed = BigInt(this.#receipts.get(group) ?? 0) * 1_000_000n;
      const missing = nanoJoules - attributed;
      const text = (): string => `${group} drew ${nanoJoules} nJ, its receipts say ${attributed} nJ`;
      holds(missing >= 0n && (!isComplete || missing < backends * 1_000_000n), "energy", text);
    }
  }

  #groupOf(backendId: BackendId): BackendId {
    let group = backendId;
    for (let above = this.#groups.get(group); above !== undefined && above !== group; above = this.#groups.get(group)) {
      group = above;
    }
    return group;
  }

  #join(a: BackendId, b: BackendId): void {
    const into = this.#groupOf(a);
    const from = this.#groupOf(b);
    if (into === from) return;
    this.#groups.set(from, into);
    this.#receipts.set(into, (this.#receipts.get(into) ?? 0) + (this.#receipts.get(from) ?? 0));
    this.#receipts.delete(from);
  }
}

function advance(meter: Meter, nowUs: number): void {
  if (meter.holders.size > 0) meter.busyMicroJoules += meter.watts * (nowUs - meter.lastUs);
  meter.lastUs = nowUs;
}
