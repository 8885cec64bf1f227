/** The worker of products.js: a build's own bindings, which read files in workers alone. */

/** @type {{ productsAlone(tokens: number): void, diagnostics(): object } | undefined} */
let engine;

self.onmessage = async ({ data: { file, build, tokens } }) => {
  try {
    if (engine) engine.productsAlone(tokens);
    else {
      const { default: instantiate, Engine } = await import(`/target/bench/package/dist/builds/${build}/qwen3_rerank.js`);
      await instantiate();
      engine = new Engine(file, undefined, undefined, () => {});
    }
    self.postMessage({ details: engine?.diagnostics() });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
