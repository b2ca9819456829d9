// Draws with the Replicate provider of Vercel's AI SDK; its argument is the address of the gateway. Prints JSON.

import { createReplicate } from "@ai-sdk/replicate";
import { generateImage } from "ai";

const farm = createReplicate({ apiToken: "none", baseURL: `${process.argv[2]}/v1` });
const { images } = await generateImage({
  model: farm.image("winepress/vignette"),
  prompt: "a red apple",
  n: 2,
  size: "128x128",
  seed: 7,
  providerOptions: { replicate: { num_inference_steps: 4, output_format: "jpg", maxWaitTimeInSeconds: 90 } },
});
const edited = await generateImage({
  model: farm.image("winepress/vignette"),
  prompt: { text: "a green apple", images: [images[0].uint8Array] },
});
console.log(JSON.stringify([...images, ...edited.images].map((image) => image.mediaType)));
