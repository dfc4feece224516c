import type { BackendId } from "../base/ids.ts";
import { type CapabilityName, type ListedPrice, type ModelCard, type ModelView, UNKNOWN_MODEL } from "../base/model.ts";
import { type Caller, mayUse, type ModelRules, rulesOf } from "../policy/access.ts";
import { familyMembers } from "../policy/model-names.ts";
import type { Price } from "./config.ts";
import type { BackendState, State } from "./state.ts";

/**
 * Every model that the caller may ask for by name and that some backend serves, in configuration order, then the aliases that
 * no such entry has. A family of names is listed by the members that its backend reported, and not at all where it reported none.
 */
export function viewModels(state: State, caller: Caller): readonly ModelView[] {
  const { aliases, access } = state.config;
  const rules = rulesOf(access, caller);
  const served = servers(state);
  // A name that the configuration gives to other models is theirs.
  for (const alias of Object.keys(aliases)) served.delete(alias);
  const listed = [...served].filter(([model]) => mayUse(rules, model, model));
  const models = listed.map(([model, backends]) => modelView(state, { model, backends, rules }));
  const names = new Set(models.map(({ model }) => model));
  const others = Object.entries(aliases).flatMap(([alias, targets]) => {
    const usable = targets.filter((model) => served.has(model) && mayUse(rules, alias, model));
    const [only, ...more] = usable;
    if (only === undefined || (targets.length === 1 && names.has(only) && more.length === 0)) return [];
    const views = usable.map((model) => modelView(state, { model, backends: served.get(model) ?? [], rules: [] }));
    return [aliasView(alias, views)];
  });
  return [...models, ...others];
}

/** The backends that serve each name. */
function servers(state: State): Map<string, BackendState[]> {
  const served = new Map<string, BackendState[]>();
  for (const backend of state.backends.values()) {
    const { models, patterns } = backend.capability;
    if (!backend.configured || models === null) continue;
    const members = familyMembers({ models, patterns }, backend.reportedModels ?? []);
    for (const model of [...Object.keys(models), ...members]) {
      const before = served.get(model);
      if (before === undefined) served.set(model, [backend]);
      else before.push(backend);
    }
  }
  return served;
}

function modelView(
  state: State,
  of: { readonly model: string; readonly backends: readonly BackendState[]; readonly rules: readonly ModelRules[] },
): ModelView {
  const { model, backends, rules } = of;
  const { aliases, models } = state.config;
  const card = Object.hasOwn(models, model) ? (models[model] ?? UNKNOWN_MODEL) : UNKNOWN_MODEL;
  const names = Object.entries(aliases).filter(([, targets]) => targets.length === 1 && targets[0] === model);
  return {
    ...card,
    model,
    aliases: names.map(([alias]) => alias).filter((alias) => mayUse(rules, alias, model)),
    aliasOf: [],
    backendIds: backends.map(({ id }) => id),
    contextTokens: contextOf(card, backends),
    price: lowestPrice(backends.map(({ config }) => config.price)),
  };
}

/** What the roomiest backend has, and no more than the model can use; a backend whose room is unknown may have all of that. */
function contextOf(card: ModelCard, backends: readonly BackendState[]): number | null {
  const known = backends.flatMap(({ capability }) => capability.contextTokens ?? []);
  if (known.length === 0) return card.contextTokens;
  const roomiest = Math.max(...known);
  if (card.contextTokens === null) return roomiest;
  return known.length < backends.length ? card.contextTokens : Math.min(roomiest, card.contextTokens);
}

function lowestPrice(prices: readonly (Price | null)[]): ListedPrice | null {
  const known = prices.filter((price) => price !== null);
  const [first] = known;
  if (first === undefined) return null;
  const lowest = (of: (price: Price) => number): number => Math.min(...known.map(of));
  const cached = (price: Price): number => price.cachedInputNanoUsdPerMillion ?? price.inputNanoUsdPerMillion;
  const written = (price: Price): number => price.cacheWriteNanoUsdPerMillion ?? price.inputNanoUsdPerMillion;
  const reasoning = (price: Price): number => price.reasoningNanoUsdPerMillion ?? price.outputNanoUsdPerMillion;
  const hasCached = known.some((price) => price.cachedInputNanoUsdPerMillion !== null);
  const hasWritten = known.some((price) => price.cacheWriteNanoUsdPerMillion !== null);
  const hasReasoning = known.some((price) => price.reasoningNanoUsdPerMillion !== null);
  const parts = [
    (price: Price) => price.inputNanoUsdPerMillion,
    cached,
    written,
    (price: Price) => price.outputNanoUsdPerMillion,
    reasoning,
  ];
  return {
    inputNanoUsdPerMillion: lowest((price) => price.inputNanoUsdPerMillion),
    cachedInputNanoUsdPerMillion: hasCached ? lowest(cached) : null,
    cacheWriteNanoUsdPerMillion: hasWritten ? lowest(written) : null,
    outputNanoUsdPerMillion: lowest((price) => price.outputNanoUsdPerMillion),
    reasoningNanoUsdPerMillion: hasReasoning ? lowest(reasoning) : null,
    isFrom: known.length < prices.length || known.some((price) => parts.some((part) => part(price) !== part(first))),
  };
}

/** An alias by itself: what holds whichever of its models serves it. */
function aliasView(alias: string, views: readonly ModelView[]): ModelView {
  const least = (of: (view: ModelView) => number | null): number | null => {
    const values = views.flatMap((view) => of(view) ?? []);
    return values.length < views.length ? null : Math.min(...values);
  };
  const shared = <T>(of: (view: ModelView) => readonly T[] | null): readonly T[] | null => {
    const [first, ...rest] = views.map(of);
    if (first === undefined || first === null || rest.includes(null)) return null;
    return first.filter((each) => rest.every((list) => list?.includes(each)));
  };
  const [first, ...rest] = views.map(({ capabilities }) => capabilities);
  const agreed = Object.entries(first ?? {}).filter(([name, can]) =>
    rest.every((others) => others[name as CapabilityName] === can),
  );
  return {
    model: alias,
    aliases: [],
    aliasOf: views.map(({ model }) => model),
    backendIds: [...new Set<BackendId>(views.flatMap(({ backendIds }) => backendIds))],
    contextTokens: least(({ contextTokens }) => contextTokens),
    maxOutputTokens: least(({ maxOutputTokens }) => maxOutputTokens),
    inputModalities: shared(({ inputModalities }) => inputModalities),
    outputModalities: shared(({ outputModalities }) => outputModalities),
    capabilities: Object.fromEntries(agreed),
    description: null,
    ownedBy: null,
    price: lowestListed(views.map(({ price }) => price)),
  };
}

function lowestListed(prices: readonly (ListedPrice | null)[]): ListedPrice | null {
  const lowest = lowestPrice(prices);
  if (lowest === null) return null;
  return { ...lowest, isFrom: lowest.isFrom || prices.some((price) => price?.isFrom === true) };
}
