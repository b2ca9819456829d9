// Draws with OpenAI's client for JavaScript; its argument is the address of the gateway. Prints JSON.

import fs from "node:fs";
import OpenAI, { toFile } from "openai";

const client = new OpenAI({ baseURL: `${process.argv[2]}/v1`, apiKey: "none", maxRetries: 0 });
const drawn = await client.images.generate({ model: "gpt-image-1", prompt: "a red apple" });
const picture = Buffer.from(drawn.data[0].b64_json, "base64");
const edited = await client.images.edit({
  model: "gpt-image-1",
  prompt: "a green apple",
  image: [await toFile(picture, "apple.png", { type: "image/png" })],
});
const events = [];
const stream = await client.images.generate({
  model: "gpt-image-1",
  prompt: "a red apple",
  stream: true,
  partial_images: 2,
});
for await (const event of stream) events.push(event.type);
const line = { custom_id: "one", method: "POST", url: "/v1/images/generations", body: { prompt: "an apple" } };
const file = await client.files.create({
  file: await toFile(Buffer.from(JSON.stringify(line)), "batch.jsonl"),
  purpose: "batch",
});
let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: "/v1/images/generations",
  completion_window: "24h",
});
while (batch.status === "in_progress") {
  await new Promise((wake) => setTimeout(wake, 100));
  batch = await client.batches.retrieve(batch.id);
}
const results = await (await client.files.content(batch.output_file_id)).text();
let code = null;
try {
  await client.images.generate({ model: "no-such-model", prompt: "a" });
} catch (error) {
  code = error.code;
}
const models = [];
for await (const model of client.models.list()) models.push(model.id);
console.log(
  JSON.stringify({
    begins: picture.subarray(1, 4).toString(),
    edited: edited.data.length,
    events,
    batch: JSON.parse(results).custom_id,
    code,
    models,
  }),
);
