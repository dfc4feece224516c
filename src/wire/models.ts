import type { ListedPrice, ModelView } from "../base/model.ts";

/**
 * One entry of GET /v1/models: OpenAI's members, then what OpenRouter calls the rest. What is unknown is null, or left out where
 * it is one of several; it is never zero. `createdSeconds` is when this server started, since nobody knows more.
 */
export function modelEntry(view: ModelView, createdSeconds: number): object {
  const { inputModalities, outputModalities, capabilities, description, price } = view;
  const isKnown = inputModalities !== null || outputModalities !== null;
  return {
    id: view.model,
    object: "model",
    created: createdSeconds,
    owned_by: view.ownedBy ?? "baseload",
    ...(description === null ? {} : { description }),
    aliases: view.aliases,
    ...(view.aliasOf.length === 0 ? {} : { alias_of: view.aliasOf }),
    context_length: view.contextTokens,
    max_output_tokens: view.maxOutputTokens,
    architecture: isKnown ? { input_modalities: inputModalities, output_modalities: outputModalities } : null,
    capabilities,
    pricing: price === null ? null : pricingOf(price),
    ...(price === null ? {} : { pricing_is_from: price.isFrom }),
  };
}

/** One entry of Anthropic's list of models; what is unknown is null. */
export function anthropicModelEntry({ model, contextTokens, maxOutputTokens }: ModelView): object {
  return {
    type: "model",
    id: model,
    display_name: model,
    // Anthropic's own word for a date that is not known.
    created_at: "1970-01-01T00:00:00Z",
    max_input_tokens: contextTokens,
    max_tokens: maxOutputTokens,
    capabilities: null,
  };
}

function pricingOf(price: ListedPrice): Readonly<Record<string, string>> {
  const { cacheWriteNanoUsdPerMillion: written } = price;
  const { cachedInputNanoUsdPerMillion: cached, reasoningNanoUsdPerMillion: reasoning } = price;
  return {
    prompt: usdPerToken(price.inputNanoUsdPerMillion),
    completion: usdPerToken(price.outputNanoUsdPerMillion),
    ...(cached === null ? {} : { input_cache_read: usdPerToken(cached) }),
    ...(written === null ? {} : { input_cache_write: usdPerToken(written) }),
    ...(reasoning === null ? {} : { internal_reasoning: usdPerToken(reasoning) }),
  };
}

// A nano-dollar per million tokens is 10^-15 dollars a token.
const DECIMALS = 15;

/** A price in US dollars per token, exactly, as a decimal text without needless zeros. */
export function usdPerToken(nanoUsdPerMillion: number): string {
  const digits = String(nanoUsdPerMillion).padStart(DECIMALS + 1, "0");
  const fraction = digits.slice(-DECIMALS).replace(/0+$/, "");
  return digits.slice(0, -DECIMALS) + (fraction === "" ? "" : `.${fraction}`);
}
