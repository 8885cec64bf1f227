/** The headers that let the model use several threads; a server of the built page must send them too. */
const headers = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

export default {
  build: { target: 'es2022' },
  server: { headers },
  preview: { headers },
};
