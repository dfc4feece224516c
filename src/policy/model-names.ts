/** A family of names that a backend serves: what the star stands for is put in the star's place of the upstream's name. */
export interface ModelPattern {
  /** What the client's name begins with; the star stands for the rest, at least one character. */
  readonly prefix: string;
  /** The upstream's name, with a star where the rest goes, or without one when all are the same model there. */
  readonly upstream: string;
}

/** A backend's models as it is asked for them: names as they are, and families, the longest prefix first. */
export interface ServedModels {
  readonly models: Readonly<Record<string, string>>;
  readonly patterns: readonly ModelPattern[];
}

/** Whether a name from the configuration stands for a family of names. */
export function isPattern(name: string): boolean {
  return name.endsWith("*");
}

/** Whether a model's name is this one, or of this family. */
export function matches(pattern: string, model: string): boolean {
  return isPattern(pattern) ? isOf(pattern.slice(0, -1), model) : pattern === model;
}

function isOf(prefix: string, model: string): boolean {
  return model.length > prefix.length && model.startsWith(prefix);
}

/** Parts a configured map (client's name → upstream's) into names and families. The order of the map does not matter. */
export function servedModels(map: Readonly<Record<string, string>>): ServedModels {
  const entries = Object.entries(map);
  const patterns = entries
    .filter(([name]) => isPattern(name))
    .map(([name, upstream]) => ({ prefix: name.slice(0, -1), upstream }))
    .toSorted((a, b) => b.prefix.length - a.prefix.length);
  return { models: Object.fromEntries(entries.filter(([name]) => !isPattern(name))), patterns };
}

/** The upstream's name for `model`, or null when it is not served: a name goes before every family, a longer prefix before a shorter. */
export function upstreamName(served: ServedModels, model: string): string | null {
  if (Object.hasOwn(served.models, model)) return served.models[model] as string;
  for (const { prefix, upstream } of served.patterns) {
    if (!isOf(prefix, model)) continue;
    const star = upstream.indexOf("*");
    if (star === -1) return upstream;
    return upstream.slice(0, star) + model.slice(prefix.length) + upstream.slice(star + 1);
  }
  return null;
}

/** The clients' names, among the families', for the names that an upstream reported, each of which leads back to it. */
export function familyMembers(served: ServedModels, reported: readonly string[]): readonly string[] {
  const names = served.patterns.flatMap((pattern) =>
    reported.flatMap((name) => {
      const client = clientName(pattern, name);
      return client !== null && upstreamName(served, client) === name ? [client] : [];
    }),
  );
  return [...new Set(names)];
}

function clientName({ prefix, upstream }: ModelPattern, name: string): string | null {
  const star = upstream.indexOf("*");
  if (star === -1) return null;
  const [before, after] = [upstream.slice(0, star), upstream.slice(star + 1)];
  const isMember = name.length > before.length + after.length && name.startsWith(before) && name.endsWith(after);
  return isMember ? prefix + name.slice(before.length, name.length - after.length) : null;
}
