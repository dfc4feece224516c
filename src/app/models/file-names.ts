/** A file that is one part of a model: stem, place, and how many there are, as llama.cpp's gguf-split names them. */
const SPLIT = /^(.+)-(\d{5})-of-(\d{5})\.gguf$/i;

/** The name of the model that `file` is, or is a part of. */
export function modelNameOf(file: string): string {
  return SPLIT.exec(file)?.[1] ?? file.replace(/(.)\.gguf$/i, "$1");
}

/** The names of all parts of the model that `file` is a part of, in order; the file alone if it is not split. */
export function partsOf(file: string): readonly string[] {
  const split = SPLIT.exec(file);
  if (split === null) return [file];
  const [, stem = "", , total = ""] = split;
  return Array.from({ length: Number(total) }, (_, index) => {
    return `${stem}-${String(index + 1).padStart(5, "0")}-of-${total}${file.slice(-".gguf".length)}`;
  });
}
