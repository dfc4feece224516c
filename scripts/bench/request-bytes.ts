/** The model's name in every request. */
export const MODEL = "bench-model";

const PROMPT_LENGTH = 850;

/** A chat request of about 1 KB. Usage is not asked for, as most clients do not: a meter has to see to that itself. */
function requestBody(stream: boolean): string {
  const content = "How much power does a city of a million people need on a winter evening? "
    .repeat(20)
    .slice(0, PROMPT_LENGTH);
  const messages = [
    { role: "system", content: "Answer in one short paragraph." },
    { role: "user", content },
  ];
  return JSON.stringify({ model: MODEL, messages, max_tokens: 50, temperature: 0.7, ...(stream ? { stream } : {}) });
}

/** A whole request as it goes over the wire. */
export function requestBytes(of: {
  readonly port: number;
  readonly stream: boolean;
  readonly headers: Readonly<Record<string, string>>;
}): Buffer {
  const body = requestBody(of.stream);
  const headers = Object.entries(of.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${of.port}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n${headers.join("")}\r\n${body}`,
  );
}
