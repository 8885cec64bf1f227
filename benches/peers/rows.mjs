/** Which contenders are compared, and the least ratio that this project wants. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, run, step } from '../../scripts/run.mjs';
import { candleInChromium, candleNatively } from './candle.mjs';
import { oursInChromium, oursNatively } from './contender.mjs';
import { openInChromium } from './chromium.mjs';
import { llama } from './llama.mjs';
import { onnxInChromium } from './onnx.mjs';
import { FOLDER } from './work.mjs';

/** @typedef {import('./compare.mjs').Row} Row */
/** @typedef {import('./compare.mjs').Side} Side */

/** npm packages that are measured; not dependencies of this package. */
const PACKAGES = { '@wllama/wllama': '3.8.1', 'onnxruntime-web': '1.30.0' };

/** Documents of the long request, for the cost of a document among many. */
const MANY = 1000;

/** Least share of the kernels' own speed that prefill is to reach. */
export const KERNEL_SHARE = 0.6;

/** Greatest number of tokens of a prompt without its document. */
const AROUND = 100;

export async function ensurePeers() {
  const missing = Object.entries(PACKAGES).filter(([name, version]) => {
    const manifest = join(ROOT, FOLDER, 'npm/node_modules', name, 'package.json');
    return !existsSync(manifest) || JSON.parse(readFileSync(manifest, 'utf8')).version !== version;
  });
  if (missing.length === 0) return;
  const wanted = Object.entries(PACKAGES).map(([name, version]) => `${name}@${version}`);
  step(`installing ${wanted.join(', ')}`);
  await run('npm', [
    'install', '--prefix', `${FOLDER}/npm`, '--no-save', '--no-package-lock', '--omit=optional', '--ignore-scripts', ...wanted,
  ]);
}

/**
 * @param {string} file the model
 * @param {string} type of its matrices; empty where it is not known
 * @param {{ tokens: number, documents: number }} numbers
 * @returns {Row[]}
 */
export function rows(file, type, { tokens, documents }) {
  const { browser, native, wllama, llamaCpp, candle, candleWeb, onnx, products } = sides(file, tokens + AROUND);
  /** @type {(group: string, ours: Partial<Side>, peer: Partial<Side>, bars?: Record<string, number>, length?: number) => Row} */
  const prefill = (group, ours, peer, bars = {}, length = tokens) => ({
    name: `prefill ${length}`, group, verb: 'prefill', tokens: length,
    ours: filled(ours, 1), peer: filled(peer, 1), bar: bars[type] ?? null,
  });
  /** @type {(group: string, ours: Partial<Side>, peer: Partial<Side>, bars?: Record<string, number>) => Row} */
  const rerank = (group, ours, peer, bars = {}) => ({
    name: `rerank ${documents} × ${tokens}`, group, verb: 'rerank', tokens,
    ours: filled(ours, documents), peer: filled(peer, documents), bar: bars[type] ?? null,
  });
  return [
    prefill('wllama', browser(1), wllama('prefill', 1), { q4_k_m: 6, q8_0: 5.5 }),
    prefill('wllama', browser(2), wllama('prefill', 2)),
    { ...rerank('wllama', browser(2), wllama('rerank', 2), { q4_k_m: 10 }), runs: 2 },
    prefill('candle', browser(1), candleWeb),
    rerank('llama', browser(2), llamaCpp('rerank', 2), { q4_k_m: 0.9 }),
    rerank('onnx', browser(2), onnx, { q4_k_m: 2 }),
    rerank('threads', browser(2), browser(1), { q4_k_m: 1.8 }),
    prefill('builds', browser(1, 'simd128'), browser(1), { q4_k_m: 0.4 }),
    prefill('kernels', browser(1), products, { q4_k_m: KERNEL_SHARE, q8_0: KERNEL_SHARE }),
    prefill('llama', native(1), llamaCpp('prefill', 1), { q4_k_m: 1.8, q8_0: 2.7 }),
    prefill('llama', native(2), llamaCpp('prefill', 2)),
    rerank('llama', native(2), llamaCpp('rerank', 2), { q4_k_m: 4 }),
    prefill('candle', native(1), candle(1)),
    prefill('candle', native(1), candle(1), { q4_k_m: 2.5 }, 512),
    prefill('candle', native(2), candle(2), {}, 512),
    // A document among many may cost at most 5 % more.
    {
      ...rerank('many', { ...native(2), name: `${MANY} documents`, documents: MANY }, { ...native(2), name: `${documents} documents` }, { q4_k_m: 1 / 1.05 }),
      runs: 2,
    },
  ];
}

/**
 * All contenders on a file.
 * @param {string} file
 * @param {number} longest prompt in tokens
 */
function sides(file, longest) {
  const counted = (/** @type {number} */ threads) => (threads === 1 ? '1 thread' : `${threads} threads`);
  return {
    browser: (/** @type {number} */ threads, build = 'relaxed') => ({
      name: `Chromium, ${build}, ${counted(threads)}`, open: () => oursInChromium(file, { threads, build }),
    }),
    native: (/** @type {number} */ threads) => ({
      name: `native, ${counted(threads)}`, open: () => oursNatively(file, { threads }),
    }),
    wllama: (/** @type {'prefill' | 'rerank'} */ form, /** @type {number} */ threads) => ({
      name: `wllama, ${counted(threads)}`, open: () => openInChromium('wllama', file, { form, threads, longest }),
    }),
    llamaCpp: (/** @type {'prefill' | 'rerank'} */ form, /** @type {number} */ threads) => ({
      name: `llama.cpp, ${counted(threads)}`, open: () => llama(file, { form, threads, longest }),
    }),
    candle: (/** @type {number} */ threads) => ({
      name: `candle, ${counted(threads)}`, open: () => candleNatively(file, { threads }),
    }),
    candleWeb: { name: 'candle in Chromium', open: () => candleInChromium(file) },
    products: { name: 'its matrix products alone', open: () => openInChromium('products', file, {}) },
    onnx: { name: 'ONNX Runtime Web, int8, 2 threads', open: () => onnxInChromium({ threads: 2 }) },
  };
}

/**
 * A side with its number of documents, unless it has one.
 * @param {Partial<Side>} side
 * @param {number} documents
 */
function filled(side, documents) {
  return /** @type {Side} */ ({ documents, ...side });
}
