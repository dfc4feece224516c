import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsConfig } from "./config/types.ts";

/** A certificate chain and its key, in PEM form, known to belong together. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Reads and checks the files of a server's certificate. Throws in words, which never quote a file. */
export function readTls(config: TlsConfig, readFile: (path: string) => string): TlsFiles {
  const cert = text("certFile", config.certFile, readFile);
  const key = text("keyFile", config.keyFile, readFile);
  const certificate = parsed(() => new X509Certificate(cert));
  if (certificate === null)
    throw new Error(
      `server.tls.certFile: ${config.certFile} holds no certificate → give a PEM file, the server's own certificate first`,
    );
  const privateKey: KeyObject | null = parsed(() => createPrivateKey(key));
  if (privateKey === null)
    throw new Error(
      `server.tls.keyFile: ${config.keyFile} holds no private key that can be used → give a PEM file without a passphrase`,
    );
  if (!certificate.checkPrivateKey(privateKey))
    throw new Error(
      `server.tls: the key in ${config.keyFile} does not belong to the first certificate in ${config.certFile} → give the files of one pair`,
    );
  return { cert, key };
}

function text(name: string, path: string, readFile: (path: string) => string): string {
  try {
    return readFile(path);
  } catch (error) {
    const { code = "unknown error" } = error as NodeJS.ErrnoException;
    throw new Error(`server.tls.${name}: ${path} cannot be read (${code}) → correct the path or its permissions`, {
      cause: error,
    });
  }
}

function parsed<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}
