/** The crate's unit tests that WebAssembly can run, of the kernels above all: every instruction set in a real browser. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { WASM_UNIT_TESTS } from '../../scripts/build.mjs';
import { EVERY_BROWSER, test } from './fixtures.mjs';
import { ROOT, addressOf } from './program.mjs';

test('all instruction sets of WebAssembly equal the reference to the bit', EVERY_BROWSER, async ({ page }) => {
  // The runner serves a page that runs the tests, and starts no browser itself.
  const served = { NO_HEADLESS: '1', WASM_BINDGEN_USE_BROWSER: '1', WASM_BINDGEN_TEST_ADDRESS: '127.0.0.1:0' };
  const runner = spawn('cargo', ['test', ...WASM_UNIT_TESTS], { cwd: ROOT, env: { ...process.env, ...served }, detached: true });
  try {
    await page.goto(await addressOf(runner));
    const output = page.locator('#output');
    await output.filter({ hasText: /test result:/ }).waitFor({ timeout: 120_000 });
    const said = await output.innerText();
    assert.match(said, /test result: ok\. [1-9]\d* passed; 0 failed/, said);
    assert.match(said, /all_equal_the_formula_and_the_reference_to_the_bit/, said);
  } finally {
    // The whole group: the server is a child of cargo, which does not end it.
    if (runner.pid) process.kill(-runner.pid);
  }
});
