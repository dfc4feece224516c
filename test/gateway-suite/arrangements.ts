/** A model that takes more of a gateway than to hand on one of the mock's: it is served by these of the mock's models. */
export interface Arrangement {
  /** The mock's model behind each deployment; the gateway may try the others when one fails. Empty: the deployment is the deaf port. */
  readonly deployments: readonly string[];
  /** A client that leaves does not end the attempt upstream; a bounded time later at most, it is ended. */
  readonly drains: boolean;
}

/** For how long the limited half of a pair asks not to be called. Longer than the pause that a gateway makes unasked. */
export const PAUSE_SECONDS = 3;

/** The models to be arranged, by the names under which the suite asks for them. */
export const ARRANGEMENTS = {
  "pair-seconds": { deployments: [`limited-${PAUSE_SECONDS}`, "ok"], drains: false },
  "pair-date": { deployments: [`limited-date-${PAUSE_SECONDS}`, "ok"], drains: false },
  drained: { deployments: ["slow-chunks-20"], drains: true },
  "drained-endless": { deployments: ["endless"], drains: true },
  deaf: { deployments: [], drains: false },
} as const satisfies Readonly<Record<string, Arrangement>>;

/** The arrangement of a model, or null when it is one of the mock's own. */
export function arrangementOf(model: string): Arrangement | null {
  return Object.hasOwn(ARRANGEMENTS, model) ? ARRANGEMENTS[model as keyof typeof ARRANGEMENTS] : null;
}
