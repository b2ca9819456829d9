// Draws with Replicate's client for JavaScript; its argument is the address of the gateway. Prints JSON.

import Replicate from "replicate";

const replicate = new Replicate({ auth: "none", baseUrl: `${process.argv[2]}/v1` });
const model = "winepress/vignette";
const progress = [];
const urls = await replicate.run(model, { input: { prompt: "a red apple" } }, (prediction) => {
  progress.push(prediction.status);
});
const picture = Buffer.from(await (await fetch(String(urls[0]))).arrayBuffer());
const version = (await replicate.models.get("winepress", "vignette")).latest_version.id;
const uploaded = await replicate.run(`${model}:${version}`, {
  input: { prompt: "a green apple", image: picture },
});
const polled = await replicate.run(model, {
  input: { prompt: "a pear" },
  wait: { mode: "poll", interval: 100 },
});
const page = await replicate.predictions.list();
console.log(
  JSON.stringify({
    begins: picture.subarray(1, 4).toString(),
    last: progress.at(-1),
    pictures: [urls.length, uploaded.length, polled.length],
    listed: page.results.length,
  }),
);
