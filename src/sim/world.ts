import { present, unreachable } from "../base/assert.ts";
import { Chance } from "../base/chance.ts";
import { unknownObservation } from "../base/engine-observation.ts";
import { TimeHeap } from "../base/heap.ts";
import type { BackendId, RequestId } from "../base/ids.ts";
import { addToRun, newRunRecord } from "../base/run-record.ts";
import { type Job, UNKNOWN_USAGE } from "../base/job.ts";
import type { RunView } from "../kernel/runs.ts";
import type { Command, Send, Wake } from "../kernel/command.ts";
import type { KernelConfig } from "../kernel/config.ts";
import type { Cancelled, Event } from "../kernel/event.ts";
import { Checkers } from "./checkers.ts";
import { Violation } from "./checkers/violation.ts";
import { EngineModel } from "./engine-model.ts";
import { Faults, type FaultOdds } from "./faults.ts";
import { changeConfig, type Fleet } from "./fleet.ts";
import type { Host } from "./host.ts";
import { StoreModel } from "./store-model.ts";
import { Tally } from "./tally.ts";
import { Traffic, type TrafficOptions, wallMsAt } from "./traffic.ts";

/** What the world drives: the kernel, or a kernel broken on purpose to prove that the checkers notice. */
export interface Machine {
  step(nowUs: number, event: Event): readonly Command[];
  /** How a run stands, where the machine can say it. */
  run?(tenant: string, runId: string): RunView | null;
}

/** What a world is made of. */
export interface WorldParts {
  readonly seed: string;
  readonly requests: number;
  readonly fleet: Fleet;
  readonly traffic: TrafficOptions;
  readonly faults: FaultOdds;
  /** A new kernel, for the start and after each crash of the process. */
  readonly newMachine: () => Machine;
  /** Hears of every step, after the checkers and before the commands are performed. */
  readonly onStep: (nowUs: number, event: Event, commands: readonly Command[]) => void;
}

interface Flight {
  readonly job: Job;
  sent: Send | null;
  /** The latest wake that was asked for, which takes the place of those before it. */
  wake: Wake | null;
}

// Faults end when this share of the requests has come; what comes after must find a world that works again.
const FAULTY_PERCENT = 80;
const REQUESTS_PER_DISTURBANCE = 10;
const LIVENESS_SLACK_US = 60_000_000;

/**
 * Simulated time: a heap of things that will happen is the world, and the kernel is told of them one by one. Performs the
 * commands like the live shell and decides nothing. First with faults, for safety; then without, for liveness.
 */
export class World implements Host {
  readonly store: StoreModel;
  readonly checkers: Checkers;
  readonly tally = new Tally();
  readonly #parts: WorldParts;
  readonly #heap = new TimeHeap<() => void>();
  readonly #engines: ReadonlyMap<BackendId, EngineModel>;
  readonly #faults: Faults;
  readonly #traffic: Traffic;
  readonly #clients: Chance;
  readonly #flights = new Map<RequestId, Flight>();
  #machine: Machine;
  #config: KernelConfig;
  #nowUs = 0;
  /** Counts the processes; what an earlier one had planned does not happen. */
  #process = 0;
  #arrived = 0;

  constructor(parts: WorldParts) {
    this.#parts = parts;
    const { seed, fleet } = parts;
    this.#faults = new Faults(seed, parts.faults);
    this.#traffic = new Traffic(seed, parts.traffic);
    this.#clients = new Chance(seed, "clients");
    this.#machine = parts.newMachine();
    this.#config = fleet.config;
    this.store = new StoreModel(this, this.#faults, seed);
    this.checkers = new Checkers(this.store, (tenant, runId) => this.#machine.run?.(tenant, runId) ?? null);
    const engines = fleet.pool.map((backend) => {
      const truth = present(fleet.truths.get(backend.id), "each backend has its truth");
      return [
        backend.id,
        new EngineModel({ backendId: backend.id, truth, host: this, faults: this.#faults, seed }),
      ] as const;
    });
    this.#engines = new Map(engines);
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  after(delayUs: number, action: () => void): void {
    const process = this.#process;
    this.#heap.push(this.#nowUs + delayUs, () => {
      if (process === this.#process) action();
    });
  }

  feed(event: Event): void {
    const commands = this.#machine.step(this.#nowUs, event);
    this.checkers.step(this.#nowUs, event, commands);
    this.tally.step(event, commands);
    this.#parts.onStep(this.#nowUs, event, commands);
    for (const command of commands) this.#perform(command);
  }

  /** Runs until nothing is left to happen. */
  run(): void {
    this.#boot();
    this.#outside(this.#traffic.nextGapUs(), () => this.#arrive());
    let endsUs = Number.MAX_SAFE_INTEGER;
    for (let next = this.#heap.pop(); next !== null; next = this.#heap.pop()) {
      this.#nowUs = next.atUs;
      next.value();
      if (this.#arrived === this.#parts.requests) endsUs = Math.min(endsUs, this.#nowUs + this.#livenessUs());
      if (this.#nowUs > endsUs) this.#checkLiveness();
    }
    this.checkers.end(this.#nowUs);
    const running = [...this.#engines.values()].reduce((sum, engine) => sum + engine.running, 0);
    if (running > 0) throw new Violation("abort-running", `${running} attempts run that nobody waits for`);
    this.#count();
  }

  #count(): void {
    this.tally.simulatedUs = this.#nowUs;
    this.tally.processes = this.#process + 1;
    this.tally.orphanLeaves = this.checkers.orphans;
    for (const engine of this.#engines.values()) this.tally.staleEvents += engine.staleEvents;
    this.tally.faults = Object.fromEntries(Object.entries(this.#faults.counts).filter(([, count]) => count > 0));
  }

  /** The longest that a request may take once nothing goes wrong any more. */
  #livenessUs(): number {
    const { limits, backends } = this.#config;
    const attemptMs = limits.queueTimeoutMs + Math.max(...backends.map((backend) => backend.watch.totalMs));
    return limits.maxAttempts * attemptMs * 1000 + LIVENESS_SLACK_US;
  }

  #checkLiveness(): void {
    const { open, unsettled } = this.checkers.pending;
    if (open + unsettled === 0) return;
    throw new Violation("liveness", `${open} requests open, ${unsettled} receipts unsettled long after the last fault`);
  }

  #outside(delayUs: number, action: () => void): void {
    this.#heap.push(this.#nowUs + delayUs, action);
  }

  #boot(): void {
    this.#configure(this.#config);
    for (const backendId of this.#engines.keys()) this.#observe(backendId, "up");
  }

  #configure(config: KernelConfig): void {
    this.#config = config;
    this.feed({ kind: "configured", wallMs: wallMsAt(this.#nowUs), config, seed: this.#parts.seed });
  }

  #observe(backendId: BackendId, state: "up" | "starting" | "down"): void {
    const models = state === "up" ? (this.#parts.fleet.truths.get(backendId)?.models ?? null) : null;
    const running = state === "up" ? (this.#engines.get(backendId)?.running ?? null) : null;
    const said = running === null ? {} : { observation: { ...unknownObservation("openai"), running } };
    this.feed({ kind: "observed", backendId, state, models, contextTokens: null, ...said });
  }

  #arrive(): void {
    this.#arrived += 1;
    const { requests } = this.#parts;
    if (this.#arrived === Math.ceil((requests * FAULTY_PERCENT) / 100)) this.#heal();
    if (this.#faults.areOn && this.#arrived % REQUESTS_PER_DISTURBANCE === 0) this.#disturb();
    const job = this.#traffic.nextJob(this.#nowUs);
    this.#flights.set(job.requestId, { job, sent: null, wake: null });
    if (this.#faults.happens("clientLeaves")) this.#plantLeaving(job.requestId);
    this.#recall(job);
    this.feed({ kind: "arrived", wallMs: wallMsAt(this.#nowUs), job });
    if (this.#arrived < requests) this.#outside(this.#traffic.nextGapUs(), () => this.#arrive());
  }

  /** Says what the store knows of the job's run, as the shell does; now and then the store cannot read. */
  #recall({ run, principal: { tenant } }: Job): void {
    if (run === null || !this.#traffic.readsRun()) return;
    const { runId } = run;
    const receipts = this.store.leaves
      .map(({ receipt }) => receipt)
      .filter((receipt) => receipt.runId === runId && receipt.principal.tenant === tenant);
    const record = receipts.length === 0 ? null : newRunRecord();
    if (record !== null) for (const receipt of receipts) addToRun(record, receipt);
    this.feed({ kind: "recalled", tenant, runId, record });
  }

  /** The client will leave: in the queue, before the first token or in the middle, as it falls out. */
  #plantLeaving(requestId: RequestId): void {
    const chance = this.#clients;
    const patienceUs = chance.integer(0, chance.pick([10_000, 300_000, 5_000_000]));
    const code = chance.odds(8, 10) ? "client_gone" : chance.pick(["client_too_slow", "shutting_down"] as const);
    this.after(patienceUs, () => this.#leave(requestId, code));
    // The server may stop while an attempt whose client left runs on.
    if (code !== "shutting_down" && chance.odds(1, 10)) {
      this.after(patienceUs + chance.integer(0, 1_000_000), () => this.#leave(requestId, "shutting_down"));
    }
  }

  #leave(requestId: RequestId, code: Cancelled["code"]): void {
    const flight = this.#flights.get(requestId);
    if (flight === undefined) return;
    const usage = flight.sent === null ? UNKNOWN_USAGE : this.#engineOf(flight.sent.backendId).made(requestId);
    this.feed({ kind: "cancelled", requestId, attempt: flight.sent?.attempt ?? 0, code, usage });
  }

  #disturb(): void {
    const faults = this.#faults;
    if (faults.happens("reconfigured")) {
      this.tally.reconfigurations += 1;
      this.#configure(changeConfig(this.#parts.fleet, this.#config, faults.details("reconfigured")));
    }
    if (faults.happens("siteLimited")) {
      const chance = faults.details("siteLimited");
      const powerLimitWatts = chance.odds(1, 2) ? chance.integer(0, 100_000) : null;
      this.feed({ kind: "limited", site: chance.pick(this.#config.sites).id, powerLimitWatts });
    }
    if (faults.happens("backendSlow")) {
      const chance = faults.details("backendSlow");
      const engine = chance.pick([...this.#engines.values()]);
      engine.serve(chance.integer(1_500, 20_000));
      this.#outside(chance.integer(100_000, 20_000_000), () => engine.serve());
    }
    if (faults.happens("cordoned")) this.#cordon(faults.details("cordoned"));
    if (faults.happens("backendCrash")) this.#crashBackend(faults.details("backendCrash"));
    if (faults.happens("processCrash")) this.#crashProcess();
  }

  /** The operator cordons a backend and gives it back, now and then one that is not configured. */
  #cordon(chance: Chance): void {
    const backendId = chance.pick(this.#parts.fleet.pool).id;
    const cordon = (cordoned: boolean): void => this.feed({ kind: "cordoned", backendId, cordoned });
    cordon(true);
    this.#outside(chance.integer(1_000, 20_000_000), () => cordon(false));
  }

  /** A backend dies and comes back; probes see it late, or never see it down at all. */
  #crashBackend(chance: Chance): void {
    const [backendId, engine] = chance.pick([...this.#engines]);
    engine.crash();
    const isSeen = chance.odds(2, 3);
    const whenOn = (delayUs: number, action: () => void): void => {
      this.#outside(delayUs, () => {
        if (this.#faults.areOn) action();
      });
    };
    const downUs = chance.integer(10_000, 5_000_000);
    const loadUs = present(this.#parts.fleet.truths.get(backendId), "each backend has its truth").loadUs;
    if (isSeen) whenOn(Math.floor(downUs / 2), () => this.#observe(backendId, "down"));
    whenOn(downUs, () => {
      engine.start();
      if (isSeen) this.#observe(backendId, "starting");
    });
    // Some fail while they load, and are seen down again before they come up.
    if (chance.odds(1, 4)) whenOn(downUs + Math.floor(loadUs / 2), () => this.#observe(backendId, "down"));
    whenOn(downUs + loadUs, () => {
      engine.serve();
      this.#observe(backendId, "up");
    });
  }

  #crashProcess(): void {
    this.#process += 1;
    this.store.crash();
    for (const engine of this.#engines.values()) engine.forget();
    this.checkers.crash(this.#nowUs);
    this.tally.lostInCrash += this.#flights.size;
    this.#flights.clear();
    this.#machine = this.#parts.newMachine();
    this.#boot();
  }

  /** Nothing goes wrong from here on: every backend serves, is configured and is seen to be up. */
  #heal(): void {
    this.#faults.end();
    for (const engine of this.#engines.values()) engine.serve();
    this.#configure({ ...this.#config, backends: this.#parts.fleet.pool });
    for (const backendId of this.#engines.keys()) this.#observe(backendId, "up");
  }

  #perform(command: Command): void {
    switch (command.kind) {
      case "send":
        return this.#send(command);
      case "abort": {
        const sent = this.#flights.get(command.requestId)?.sent ?? null;
        if (sent !== null) this.#engineOf(sent.backendId).abort(command.requestId, command.withinMs);
        return;
      }
      case "wake":
        return this.#wake(command);
      case "append":
        this.#flights.delete(command.requestId);
        return this.store.append(command);
      case "post":
        return this.store.post(command);
      case "lease":
        return this.store.lease(command);
      case "join":
      case "commit":
      case "answer":
        // The client takes it; that each comes once and in order is the checkers' business.
        return;
      default:
        return unreachable(command);
    }
  }

  #send(command: Send): void {
    const flight = present(this.#flights.get(command.requestId), "a request that is sent is in flight");
    flight.sent = command;
    this.#engineOf(command.backendId).send(command, flight.job);
  }

  #wake(command: Wake): void {
    const { requestId, attempt, atUs } = command;
    const flight = present(this.#flights.get(requestId), "a request that is to be woken is in flight");
    flight.wake = command;
    this.after(atUs - this.#nowUs, () => {
      if (flight.wake === command && this.#flights.get(requestId) === flight) {
        this.feed({ kind: "woke", requestId, attempt });
      }
    });
  }

  #engineOf(backendId: BackendId): EngineModel {
    return present(this.#engines.get(backendId), `backend ${backendId} has an engine`);
  }
}
