/**
 * The package's own worker, whose engine can also run its matrix products alone. It loads the model as the
 * package does, since the load chooses the fastest kernels.
 */

const builds = '/target/bench/package/dist/builds';
await import(`${builds}/relaxed.js`);
const { Engine } = await import(`${builds}/relaxed/qwen3_rerank.js`);
const serve = self.onmessage;

/** @type {{ productsAlone(tokens: number): void } | undefined} */
let engine;
// What the worker asks of the engine once it is loaded.
const info = Object.getOwnPropertyDescriptor(Engine.prototype, 'info');
Object.defineProperty(Engine.prototype, 'info', {
  get() {
    engine = this;
    return info?.get?.call(this);
  },
});

self.onmessage = (event) => {
  const { type, id, tokens } = event.data;
  if (type !== 'products') {
    serve?.call(/** @type {any} */ (self), event);
    return;
  }
  if (!engine) throw new Error('the worker has loaded no engine: bug');
  engine.productsAlone(tokens);
  self.postMessage({ type: 'result', id });
};
self.postMessage({ type: 'ready' });
