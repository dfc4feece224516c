import { z } from "zod";

/** A day as YYYY-MM-DD. */
const day = z.string().regex(/^\d{4}-\d{2}-\d{2}$/);
const confidence = z.enum([
  "vendor",
  "measured",
  "published",
  "listed",
  "derived",
  "modelled",
  "secondary",
  "preliminary",
  "unchecked",
  "user",
]);
const provenance = { source: z.string().min(1), date: day, confidence };
const positive = z.number().positive();
const whole = z.int().min(0);
const figure = z.strictObject({
  value: z.number().min(0),
  low: z.number().min(0).optional(),
  high: z.number().min(0).optional(),
  ...provenance,
});
const known = figure.nullable();
const id = z.string().regex(/^[a-z0-9][a-z0-9._-]*$/);
const aliases = z.array(z.string().min(1)).default([]);

const accelerator = z.strictObject({
  id,
  name: z.string().min(1),
  vendor: z.string().min(1),
  form: z.string().min(1),
  accelerators: z.int().min(1),
  chip: id.nullable().default(null),
  aliases,
  scaleUpDomain: z.int().min(1),
  unifiedMemory: z.boolean(),
  memoryGB: known,
  bandwidthTBps: known,
  bf16Tflops: known,
  fp8Tflops: known,
  fp4Tflops: known,
  int8Tops: known,
  scaleUpGBps: known,
  tdpW: known,
  systemKw: known,
  allInKw: known,
  cooling: z
    .strictObject({ value: z.string(), ...provenance })
    .nullable()
    .default(null),
  notes: z.string().nullable().default(null),
});

const grouped = z.strictObject({
  kind: z.literal("gqa"),
  heads: positive,
  kvHeads: positive,
  headDim: positive,
  windowTokens: positive.nullable(),
  windowLayers: whole,
});
const latent = z.strictObject({
  kind: z.literal("mla"),
  heads: positive,
  queryRank: positive.nullable(),
  kvRank: positive,
  ropeDim: positive,
  nopeDim: positive,
  valueDim: positive,
});

const model = z.strictObject({
  id,
  name: z.string().min(1),
  aliases,
  layers: z.int().min(1),
  hidden: positive,
  vocab: positive,
  contextTokens: positive,
  tiedEmbeddings: z.boolean(),
  attention: z.discriminatedUnion("kind", [grouped, latent]),
  linearAttention: z
    .strictObject({ layers: whole, keyHeads: positive, valueHeads: positive, keyDim: positive, valueDim: positive })
    .nullable()
    .default(null),
  ffn: z.strictObject({ intermediate: whole, gated: z.boolean(), denseLayers: whole }),
  experts: z
    .strictObject({ count: positive, active: positive, intermediate: positive, sharedIntermediate: whole })
    .nullable()
    .default(null),
  mtpLayers: whole.default(0),
  nativePrecision: id.default("bf16"),
  publishedParameters: positive.nullable().default(null),
  publishedActiveParameters: positive.nullable().default(null),
  ...provenance,
});

const precision = z.strictObject({
  id,
  aliases,
  weightBytes: positive,
  attentionWeightBytes: positive,
  embeddingBytes: positive,
  kvBytes: positive,
  format: z.string().min(1),
  compute: z.enum(["bf16", "fp8", "fp4", "int8"]),
  qualityLoss: known.default(null),
  ...provenance,
});

const price = z.strictObject({
  accelerator: id,
  kind: z.enum(["tco", "rented", "purchase"]),
  tier: z.string().nullable().default(null),
  unit: z.enum(["usdPerHour", "usd"]),
  price: figure,
});

const grid = z.strictObject({
  zone: z.string().regex(/^[A-Z0-9_-]+$/),
  gramsPerKwh: known,
  usdPerKwh: known.default(null),
});

const source = z.strictObject({ id: z.string().min(1), kind: z.string(), reference: z.string(), date: day });
const version = { catalogVersion: z.string().min(1) };

/** The files of data/catalog, by name, and a user's own file. Unknown keys are errors. */
export const CATALOG_FILES = {
  sources: z.strictObject({ ...version, sources: z.array(source) }),
  accelerators: z.strictObject({ ...version, accelerators: z.array(accelerator) }),
  models: z.strictObject({ ...version, models: z.array(model) }),
  precisions: z.strictObject({ ...version, precisions: z.array(precision) }),
  prices: z.strictObject({ ...version, prices: z.array(price) }),
  grids: z.strictObject({ ...version, license: z.string(), grids: z.array(grid) }),
} as const;

/** A user's own file: any of the lists. */
export const OWN_FILE = z.strictObject({
  accelerators: z.array(accelerator).default([]),
  models: z.array(model).default([]),
  precisions: z.array(precision).default([]),
  prices: z.array(price).default([]),
  grids: z.array(grid).default([]),
});
