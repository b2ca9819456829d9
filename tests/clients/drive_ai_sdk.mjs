// Draws with Vercel's AI SDK; its argument is the address of the gateway. Prints JSON.

import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage } from "ai";

const farm = createOpenAICompatible({ name: "farm", baseURL: `${process.argv[2]}/v1`, apiKey: "none" });
const { images } = await generateImage({
  model: farm.imageModel("vignette"),
  prompt: "a red apple",
  n: 2,
  size: "1024x1024",
  providerOptions: { farm: { seed: 7, num_inference_steps: 4 } },
});
console.log(JSON.stringify(images.map((image) => Buffer.from(image.uint8Array).subarray(1, 4).toString())));
