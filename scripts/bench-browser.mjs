/** `npm run bench:browser -- --model FILE`: measures the packed package in Chromium as `qwen3-rerank bench` measures the native program. */
import { parseArgs } from 'node:util';
import { oursInChromium } from '../benches/peers/contender.mjs';
import { OPTIONS, answer, count, median, prepare, readOptions, requireModel, spread, texts } from '../benches/peers/work.mjs';
import { MODEL } from './page.mjs';
import { Failure, script, step } from './run.mjs';

/** What `load` takes for its build of the module. */
const BUILDS = ['simd128', 'relaxed'];

await script(async () => {
  const { values } = parseArgs({
    options: { ...OPTIONS, threads: { type: 'string' }, build: { type: 'string' } },
  });
  const options = readOptions(values);
  const model = requireModel(values.model ?? MODEL);
  if (values.build !== undefined && !BUILDS.includes(values.build)) {
    throw new Failure(`--build ${values.build}: must be one of ${BUILDS.join(', ')}`);
  }
  const load = {
    ...(values.threads === undefined ? {} : { threads: count('threads', values.threads, 32) }),
    ...(values.build === undefined ? {} : { build: values.build }),
  };
  await answer(options.json, () => measure(model, load, options), print);
});

/**
 * @param {string} model
 * @param {{ threads?: number, build?: string }} load
 * @param {import('../benches/peers/work.mjs').Options} options
 */
async function measure(model, load, { tokens, documents, runs }) {
  await prepare();
  step('measuring');
  const { prompts, requests } = texts(model, { tokens, documents, runs });
  /** @type {{ loads: number[], prefills: number[], reranks: number[] }} */
  const { loads, prefills, reranks } = { loads: [], prefills: [], reranks: [] };
  const ours = await oursInChromium(model, load);
  let details;
  let peakBytes;
  try {
    loads.push(ours.loadSeconds);
    for (const [index, prompt] of prompts.entries()) {
      prefills.push(tokens / (await ours.prefill(prompt)).seconds);
      const request = requests[index];
      if (request) reranks.push(documents / (await ours.rerank(request)).seconds);
    }
    details = await ours.details?.();
    peakBytes = await ours.peakBytes();
  } finally {
    await ours.close();
  }
  while (loads.length < runs) {
    const again = await oursInChromium(model, load);
    loads.push(again.loadSeconds);
    await again.close();
  }
  return {
    model, backend: details?.['backend'] ?? null, build: details?.['build'] ?? null, threads: details?.['threads'] ?? null,
    tokens, documents, runs,
    load_seconds: median(loads),
    prefill_tokens_per_second: median(prefills),
    documents_per_second: median(reranks),
    // WebAssembly memory never shrinks, so its size at the end is its peak.
    peak_bytes: details?.['memory_bytes'] ?? null,
    renderer_peak_bytes: peakBytes,
    spread: {
      load_seconds: spread(loads), prefill_tokens_per_second: spread(prefills), documents_per_second: spread(reranks),
    },
  };
}

/** @param {Awaited<ReturnType<typeof measure>>} report */
function print(report) {
  const figure = (/** @type {number} */ value, /** @type {[number, number]} */ [least, greatest]) => {
    const text = (/** @type {number} */ number) => number.toFixed(value < 100 ? 2 : 0);
    return `${text(value)} (${text(least)} to ${text(greatest)})`;
  };
  const bytes = (/** @type {unknown} */ value) => (typeof value === 'number' ? `${(value / 2 ** 20).toFixed(0)} MiB` : 'unknown');
  const { tokens, documents, spread } = report;
  const lines = {
    model: report.model,
    backend: `${report.backend}, build ${report.build}, threads: ${report.threads}`,
    load: `${figure(report.load_seconds, spread.load_seconds)} s`,
    prefill: `${figure(report.prefill_tokens_per_second, spread.prefill_tokens_per_second)} tokens/s, a prompt of ${tokens} tokens`,
    rerank: `${figure(report.documents_per_second, spread.documents_per_second)} documents/s, requests of ${documents} × ${tokens} tokens`,
    memory: `${bytes(report.peak_bytes)} of WebAssembly; the page's process ${bytes(report.renderer_peak_bytes)} at most`,
  };
  for (const [name, text] of Object.entries(lines)) console.log(`${name.padEnd(10)}${text}`);
  console.log(`\nMedians of ${report.runs} runs; least and greatest in brackets.`);
}
