import type { Accelerator, Catalog, Figure } from "./types.ts";
import { findAccelerator } from "./lookup.ts";

/** The figures of one chip as the cost model needs them, in SI units. Null is unknown. */
export interface Chip {
  readonly id: string;
  readonly vendor: string;
  readonly memoryBytes: number | null;
  readonly bandwidthBytesPerS: number | null;
  readonly bf16Flops: number | null;
  readonly fp8Flops: number | null;
  readonly fp4Flops: number | null;
  readonly int8Ops: number | null;
  readonly scaleUpBytesPerS: number | null;
  readonly scaleUpDomain: number;
  readonly unifiedMemory: boolean;
  readonly tdpW: number | null;
  /** Power of the machine over its chips, at full load. */
  readonly nodeW: number | null;
  /** Power of the facility over its chips, at full load. */
  readonly facilityW: number | null;
  /** Figures used, as `name: value (source, confidence)`. */
  readonly sources: readonly string[];
}

const TERA = 1e12;
const GIGA = 1e9;
const KILO = 1e3;

/** One chip of an accelerator: a machine's figures divided by its chips, and its chip's own where the machine's are unknown. */
export function chipOf(catalog: Catalog, accelerator: Accelerator): Chip {
  const chip = accelerator.chip === null ? null : findAccelerator(catalog, accelerator.chip);
  const sources: string[] = [];
  const note = (name: string, figure: Figure): void => {
    sources.push(`${name}: ${figure.value} (${figure.source}, ${figure.confidence})`);
  };
  const shared = (name: FigureName, scale: number): number | null => {
    const own = accelerator[name];
    if (own !== null) note(name, own);
    if (own !== null) return (own.value * scale) / accelerator.accelerators;
    const part = chip?.[name] ?? null;
    if (part !== null) note(name, part);
    return part === null ? null : part.value * scale;
  };
  const perChip = (name: FigureName, scale: number): number | null => {
    const figure = chip?.[name] ?? accelerator[name];
    if (figure !== null) note(name, figure);
    return figure === null ? null : figure.value * scale;
  };
  return {
    id: accelerator.id,
    vendor: accelerator.vendor,
    memoryBytes: shared("memoryGB", GIGA),
    bandwidthBytesPerS: shared("bandwidthTBps", TERA),
    bf16Flops: shared("bf16Tflops", TERA),
    fp8Flops: shared("fp8Tflops", TERA),
    fp4Flops: shared("fp4Tflops", TERA),
    int8Ops: shared("int8Tops", TERA),
    scaleUpBytesPerS: perChip("scaleUpGBps", GIGA),
    scaleUpDomain: accelerator.scaleUpDomain,
    unifiedMemory: accelerator.unifiedMemory,
    tdpW: perChip("tdpW", 1),
    nodeW: shared("systemKw", KILO),
    facilityW: perChip("allInKw", KILO),
    sources,
  };
}

type FigureName =
  | "memoryGB"
  | "bandwidthTBps"
  | "bf16Tflops"
  | "fp8Tflops"
  | "fp4Tflops"
  | "int8Tops"
  | "scaleUpGBps"
  | "tdpW"
  | "systemKw"
  | "allInKw";
