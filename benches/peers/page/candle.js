/** In the page: candle-transformers in WebAssembly. */

/** @param {File} file */
export async function open(file) {
  const path = '/target/bench/candle/web/candle_peer.js';
  const { default: init, Peer } = await import(path);
  const { memory } = await init();
  const peer = new Peer(new Uint8Array(await file.arrayBuffer()));
  return {
    prefill: async (/** @type {import('../work.mjs').Request} */ { ids }) => {
      const logits = peer.read(new Uint32Array(ids[0] ?? []));
      if (!logits.every(Number.isFinite)) throw new Error('a logit is not finite');
      return [];
    },
    details: () => ({ memory_bytes: memory.buffer.byteLength }),
  };
}
