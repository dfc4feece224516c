import type { FormAnswer } from "../../src/wire/form/answer.ts";
import { converseAnswer } from "../clouds/fake-bedrock.ts";

/** A thought, words and two calls. */
export const RICH_ANSWER: FormAnswer = {
  id: "a1",
  model: "m",
  parts: [
    { head: { kind: "reasoning" }, text: "Two cities.", signature: null, citations: [], logprobs: null },
    {
      head: { kind: "text" },
      text: "I look both up in Zürich’s “book”.",
      signature: null,
      citations: [],
      logprobs: null,
    },
    ...["Zürich", "Rome"].map((city, index) => ({
      head: { kind: "tool-call" as const, id: `call_${index}`, name: "weather" },
      text: JSON.stringify({ city }),
      signature: null,
      citations: [],
      logprobs: null,
    })),
  ],
  stop: { reason: "tool-calls", stopSequence: null },
  usage: {
    inputTokens: 40,
    cachedInputTokens: 30,
    cacheWriteTokens: null,
    outputTokens: 20,
    reasoningTokens: null,
    reportedCostNanoUsd: null,
  },
};

const [THOUGHT = "", PROSE = ""] = RICH_ANSWER.parts.map((part) => part.text);
const CITIES = ["Zürich", "Rome"];

/** The rich answer in the words of those that no client speaks: as the stream's events, and whole. */
export const CLOUD_ANSWERS: Readonly<Record<string, { readonly events: readonly object[]; readonly whole: object }>> = {
  gemini: (() => {
    const parts = [
      { text: THOUGHT, thought: true },
      { text: PROSE },
      ...CITIES.map((city, index) => ({ functionCall: { id: `call_${index}`, name: "weather", args: { city } } })),
    ];
    const usageMetadata = { promptTokenCount: 40, cachedContentTokenCount: 30, candidatesTokenCount: 20 };
    const chunk = (content: object, more: object = {}): object => ({
      responseId: "a1",
      modelVersion: "m",
      candidates: [{ content, ...more }],
    });
    const last = { finishReason: "STOP" };
    return {
      events: [
        ...parts.map((part) => chunk({ role: "model", parts: [part] })),
        { ...chunk({ role: "model", parts: [] }, last), usageMetadata },
      ],
      whole: { ...chunk({ role: "model", parts }, last), usageMetadata },
    };
  })(),
  bedrock: (() => {
    const usage = { inputTokens: 10, cacheReadInputTokens: 30, outputTokens: 20, totalTokens: 60 };
    const block = (contentBlockIndex: number, delta: object, start: object | null = null): readonly object[] => [
      ...(start === null ? [] : [{ contentBlockStart: { contentBlockIndex, start } }]),
      { contentBlockDelta: { contentBlockIndex, delta } },
      { contentBlockStop: { contentBlockIndex } },
    ];
    const made = CITIES.map((city, index) => ({
      toolUse: { toolUseId: `call_${index}`, name: "weather", input: { city } },
    }));
    return {
      events: [
        { messageStart: { role: "assistant" } },
        ...block(0, { reasoningContent: { text: THOUGHT } }),
        ...block(1, { text: PROSE }),
        ...made.flatMap(({ toolUse: { input, ...toolUse } }, index) =>
          block(index + 2, { toolUse: { input: JSON.stringify(input) } }, { toolUse }),
        ),
        { messageStop: { stopReason: "tool_use" } },
        { metadata: { usage } },
      ],
      whole: converseAnswer([{ reasoningContent: { reasoningText: { text: THOUGHT } } }, { text: PROSE }, ...made], {
        stopReason: "tool_use",
        usage,
      }),
    };
  })(),
};
