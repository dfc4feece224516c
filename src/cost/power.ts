import type { Chip } from "../catalog/machine.ts";
import { POWER } from "./constants.ts";
import type { StepCost } from "./step.ts";

/** Watts of one chip's share at the three boundaries. Null where no figure of the catalogue gives it. */
export interface Watts {
  /** The chips alone. */
  readonly gpu: number | null;
  /** With host, fans and network cards. */
  readonly node: number | null;
  /** With cooling, losses and the network around. */
  readonly facility: number | null;
}

/** How busy chips are; 0 and 0 is idle. See `StepCost`. */
export type Activity = Pick<StepCost, "utilisation" | "busyShare">;

/** Nothing to do, model loaded. */
export const IDLE: Activity = { utilisation: 0, busyShare: 0 };

/**
 * The share of its power limit that a chip draws while steps follow each other: standby in the gaps, a memory level while it works, and more
 * with the FLOP utilisation. More load never draws less, since a larger batch shortens the gaps and raises the utilisation.
 */
export function powerShare({ utilisation, busyShare }: Activity): number {
  const working = POWER.memory + POWER.compute * (1 - Math.exp(-POWER.steepness * utilisation));
  return Math.min(1, POWER.standby + busyShare * (Math.max(POWER.standby, working) - POWER.standby));
}

/** Watts of a chip that works, or null instead of the activity for one that is idle. */
export function wattsOf(chip: Chip, activity: Activity | null): Watts {
  const share = activity === null ? POWER.idle : powerShare(activity);
  const gpu = chip.tdpW === null ? null : chip.tdpW * share;
  const nodeFull = chip.nodeW ?? (chip.tdpW === null ? null : chip.tdpW * (1 + POWER.host));
  if (nodeFull === null) return { gpu, node: null, facility: null };
  // What is not chips is constant; of a machine of which only the whole is known, the whole follows the load.
  const node = gpu === null || chip.tdpW === null ? nodeFull * share : gpu + Math.max(0, nodeFull - chip.tdpW);
  const pue = chip.facilityW === null ? POWER.facility : Math.max(1, chip.facilityW / nodeFull);
  return { gpu, node, facility: node * (chip.unifiedMemory ? 1 : pue) };
}
