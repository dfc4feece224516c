import type { Exclusion, Offer } from "../base/offer.ts";

/** What dispatch made of the offers. */
export type Choice =
  | {
      readonly kind: "chosen";
      readonly offer: Offer;
      readonly reason: "least_loaded";
      readonly excluded: readonly Exclusion[];
    }
  /**
   * Some backend would do once it is free (`isFull`: one of them is, which may end at any time), or once its quota lets the
   * request go: at `readyUs` the first of them does, null where no quota is in the way.
   */
  | {
      readonly kind: "wait";
      readonly isFull: boolean;
      readonly readyUs: number | null;
      readonly excluded: readonly Exclusion[];
    }
  /** No backend will do. */
  | { readonly kind: "none"; readonly excluded: readonly Exclusion[] };

/**
 * Chooses the least-loaded backend that fits: a backend that is cooling down is passed over while another fits, and is
 * tried, the one whose cool-down ends first, when none does, since a guess that it is still down must not become a refusal.
 * One that is full or whose quota is spent is not tried at all, for it would refuse.
 * `offers` come in configuration order; `sends` breaks ties by the fewest sends so far.
 */
export function choose(
  offers: readonly Offer[],
  excluded: readonly Exclusion[],
  sends: (offer: Offer) => number,
): Choice {
  const free: Offer[] = [];
  const passed: Exclusion[] = [];
  let isFull = false;
  let readyUs: number | null = null;
  for (const offer of offers) {
    const { backendId, quotaReadyUs } = offer;
    if (offer.capacity !== null && offer.inFlight >= offer.capacity) {
      isFull = true;
      passed.push({ backendId, reason: "at_capacity" });
    } else if (quotaReadyUs !== null) {
      readyUs = Math.min(readyUs ?? quotaReadyUs, quotaReadyUs);
      passed.push({ backendId, reason: "quota_spent" });
    } else free.push(offer);
  }
  const all = [...excluded, ...passed];
  if (free.length === 0) {
    return passed.length > 0 ? { kind: "wait", isFull, readyUs, excluded: all } : { kind: "none", excluded: all };
  }
  let best = free[0] as Offer;
  for (const offer of free) if (better(offer, best, sends)) best = offer;
  for (const offer of free) {
    if (offer === best) continue;
    all.push({ backendId: offer.backendId, reason: offer.cooling ? "cooling_down" : "busier" });
  }
  return { kind: "chosen", offer: best, reason: "least_loaded", excluded: all };
}

function better(a: Offer, b: Offer, sends: (offer: Offer) => number): boolean {
  if (a.cooling !== b.cooling) return !a.cooling;
  if (a.cooling && a.coolUntilUs !== b.coolUntilUs) return a.coolUntilUs < b.coolUntilUs;
  if (a.inFlight !== b.inFlight) return a.inFlight < b.inFlight;
  return sends(a) < sends(b);
}
